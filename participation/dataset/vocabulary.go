package dataset

// A Concept is a thing of this program, by its Dutch name on the pages.
type Concept string

// The concepts of which other vocabularies have a name.
const (
	ConceptConsultation Concept = "raadpleging"
	ConceptPhase        Concept = "fase"
	ConceptQuestion     Concept = "vraag"
	ConceptOption       Concept = "antwoordmogelijkheid"
	ConceptReply        Concept = "reactie"
	ConceptLike         Concept = "steun"
	ConceptVote         Concept = "stem"
	ConceptAnswer       Concept = "antwoord van de gemeente"
	ConceptRule         Concept = "telregel"
	ConceptFigure       Concept = "getal"
	ConceptStep         Concept = "gebeurtenis"
)

// A Name is what others call a concept; "" where they have none.
type Name struct {
	Concept         Concept
	ActivityStreams string // https://www.w3.org/TR/activitystreams-vocabulary/
	DDS             string // org.dds-wg.v1.*, of the Deliberative Data Standards working group
	Polis           string // files and columns of its exports
	PrefLib         string // lines of its files
}

// Vocabulary is the one table of names, for every export and for
// docs/open-data.md, which a test holds to it.
func Vocabulary() []Name {
	const v1 = "org.dds-wg.v1."
	return []Name{
		{ConceptConsultation, "Question, Note", v1 + "project", "conversation", "file"},
		{ConceptPhase, "startTime, endTime", v1 + "project#phase", "", ""},
		{ConceptQuestion, "name, content", v1 + "project", "topic", "TITLE"},
		{ConceptOption, "oneOf, anyOf", v1 + "statement", "comment", "ALTERNATIVE NAME"},
		{ConceptReply, "Note with inReplyTo", v1 + "response", "", ""},
		{ConceptLike, "Like", v1 + "reaction", "", ""},
		{ConceptVote, "Note with name and inReplyTo", v1 + "vote", "vote", "preference"},
		{ConceptAnswer, "Note with inReplyTo", v1 + "response", "", ""},
		{ConceptRule, "", v1 + "algorithm", "", ""},
		{ConceptFigure, "replies.totalItems, votersCount", v1 + "metric", "summary", "NUMBER VOTERS"},
		{ConceptStep, "Create, Update", v1 + "event", "", ""},
	}
}

func (c Concept) dds() string {
	for _, n := range Vocabulary() {
		if n.Concept == c {
			return n.DDS
		}
	}
	return ""
}
