FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.release=$VERSION" -o /out/inspraak ./cmd/inspraak \
	&& install -d -m 0700 -o 65532 -g 65532 /out/data \
	&& install -d -m 1777 /out/tmp

# No shell, no package, no root: the program, the certificates it needs to trust
# other servers, and one folder to write in. Time zones are in the program.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/ /
USER 65532:65532
# The folder of inspraak.yaml, the database, the keys and the images.
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/inspraak"]
CMD ["serve"]
