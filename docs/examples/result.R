# Draws the result of a consultation, and prints it:
#   Rscript result.R https://inspraak.example havenplein
library(jsonlite) # install.packages("jsonlite")

given <- commandArgs(trailingOnly = TRUE)
address <- paste0(given[1], "/api/v1/consultations/", given[2], "/result")
result <- fromJSON(address)
if (is.null(result$options$votes)) {
  cat("no votes to show:", result$hidden, "\n")
  quit()
}
votes <- setNames(result$options$votes, result$options$name)
print(data.frame(votes, percent = round(100 * votes / (result$turnout - (if (is.null(result$pending)) 0 else result$pending)))))
png("result.png", width = 800, height = 400)
par(mar = c(4, 12, 3, 1))
barplot(rev(votes), horiz = TRUE, las = 1, main = result$title, xlab = paste("of", result$turnout, "ballots"))
invisible(dev.off())
