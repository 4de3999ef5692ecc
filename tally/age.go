package tally

// Age is I4, by what each account's server says of it.
type Age struct {
	Classes    []AgeClass  `json:"classes"`    // nil if nothing may be told
	Difference *Difference `json:"difference"` // of choices, accounts under 30 days against older ones
	Winner     Outcome     `json:"winner"`     // among accounts of 30 days and more
}

// AgeClass is how many ballots came from accounts of an age.
type AgeClass struct {
	Days    string `json:"days"` // 0-6, 7-29, 30-365, over-365, unknown
	Ballots Range  `json:"ballots"`
}

// established is from what age, in days, an account is not new.
const established = 30

func (in Input) age(c counted) Age {
	a := Age{Winner: Untold}
	names := []string{"0-6", "7-29", "30-365", "over-365", "unknown"}
	cells := make([]int, len(names))
	for _, b := range in.Ballots {
		cells[ageClass(b.AgeDays)]++
	}
	for i, r := range Disclose(cells, 3) {
		a.Classes = append(a.Classes, AgeClass{Days: names[i], Ballots: r})
	}
	if c.ballots < enough {
		return a
	}
	a.Winner = c.without(in.group(func(b Ballot) bool { return b.AgeDays < established }))
	a.Difference = in.difference(func(b Ballot) (bool, bool) { return b.AgeDays < established, b.AgeDays >= 0 })
	return a
}

func ageClass(days int) int {
	switch {
	case days < 0:
		return 4
	case days < 7:
		return 0
	case days < established:
		return 1
	case days <= 365:
		return 2
	}
	return 3
}
