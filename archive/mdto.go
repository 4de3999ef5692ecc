package archive

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"time"
)

// Record is what an archivist needs to know of something that is kept.
type Record struct {
	Address     string // where it was; its identification
	Title       string
	Level       string // aggregatieniveau: Archief, Dossier
	Description []string
	Language    string
	From, Until time.Time // zero: not told
	Events      []Event
	Maker       string   // archiefvormer: who held it
	Part        *Record  // of which it is part; only Address and Title are told
	Parts       []Record // the same of what it holds
	Appraisal   string   // waardering, and the list that it is from
	Category    string   // of the selection list, empty if not decided
}

// Event is something that happened to it.
type Event struct {
	What string
	At   time.Time
	Who  string
}

// selection is the list from which municipalities take appraisal and category.
const selection = "Selectielijst gemeenten en intergemeentelijke organen"

// MDTO writes a record as metadata of the Dutch norm (MDTO 1.0.1, XML schema
// https://www.nationaalarchief.nl/mdto). Files have no records of their own: the
// bag's manifest has their digests.
func MDTO(r Record) ([]byte, error) {
	const ours = "Inspraak" // the list of words that no other list has
	appraisal := concept(r.Appraisal, selection)
	if r.Appraisal == "" {
		appraisal = concept("Nog vast te stellen", ours)
	}
	o := mdtoObject{
		Identificatie: identified(r.Address), Naam: r.Title, Aggregatieniveau: concept(r.Level, "Begrippenlijst Aggregatieniveaus MDTO"),
		Omschrijving: r.Description, Raadpleeglocatie: &mdtoPlace{r.Address}, Taal: r.Language,
		Waardering: appraisal, Archiefvormer: mdtoReference{Naam: r.Maker},
		Beperking: mdtoRestriction{concept("Openbaar", ours),
			"Alles in dit object stond op een openbare website. Er staan openbare reacties van mensen in, met de naam van hun account."},
	}
	if !r.From.IsZero() {
		o.Dekking = &mdtoPeriod{Type: concept("Looptijd van de vraag", ours), Begin: r.From.Format(time.DateOnly)}
		if !r.Until.IsZero() {
			o.Dekking.Eind = r.Until.Format(time.DateOnly)
		}
	}
	for _, e := range r.Events {
		o.Events = append(o.Events, mdtoEvent{concept(e.What, ours), e.At.UTC().Format(time.RFC3339), mdtoReference{Naam: e.Who}})
	}
	if r.Category != "" {
		o.Categorie = concept(r.Category, selection)
	}
	if r.Part != nil {
		o.OnderdeelVan = []mdtoReference{refer(*r.Part)}
	}
	for _, part := range r.Parts {
		o.Onderdelen = append(o.Onderdelen, refer(part))
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(mdto{Object: o}); err != nil {
		return nil, fmt.Errorf("write MDTO: %w", err)
	}
	b.WriteString("\n")
	return b.Bytes(), nil
}

func identified(address string) mdtoID { return mdtoID{address, "Webadres"} }

func refer(r Record) mdtoReference {
	id := identified(r.Address)
	return mdtoReference{r.Title, &id}
}

func concept(label, list string) *mdtoConcept { return &mdtoConcept{label, mdtoReference{Naam: list}} }

// The elements in the order of the schema.
type mdto struct {
	XMLName xml.Name   `xml:"https://www.nationaalarchief.nl/mdto MDTO"`
	Object  mdtoObject `xml:"informatieobject"`
}

type mdtoObject struct {
	Identificatie    mdtoID          `xml:"identificatie"`
	Naam             string          `xml:"naam"`
	Aggregatieniveau *mdtoConcept    `xml:"aggregatieniveau"`
	Omschrijving     []string        `xml:"omschrijving"`
	Raadpleeglocatie *mdtoPlace      `xml:"raadpleeglocatie"`
	Dekking          *mdtoPeriod     `xml:"dekkingInTijd"`
	Taal             string          `xml:"taal,omitempty"`
	Events           []mdtoEvent     `xml:"event"`
	Waardering       *mdtoConcept    `xml:"waardering"`
	Categorie        *mdtoConcept    `xml:"informatiecategorie"`
	OnderdeelVan     []mdtoReference `xml:"isOnderdeelVan"`
	Onderdelen       []mdtoReference `xml:"bevatOnderdeel"`
	Archiefvormer    mdtoReference   `xml:"archiefvormer"`
	Beperking        mdtoRestriction `xml:"beperkingGebruik"`
}

type mdtoID struct {
	Kenmerk string `xml:"identificatieKenmerk"`
	Bron    string `xml:"identificatieBron"`
}

type mdtoReference struct {
	Naam          string  `xml:"verwijzingNaam"`
	Identificatie *mdtoID `xml:"verwijzingIdentificatie"`
}

type mdtoConcept struct {
	Label string        `xml:"begripLabel"`
	Lijst mdtoReference `xml:"begripBegrippenlijst"`
}

type mdtoPlace struct {
	Online string `xml:"raadpleeglocatieOnline"`
}

type mdtoPeriod struct {
	Type  *mdtoConcept `xml:"dekkingInTijdType"`
	Begin string       `xml:"dekkingInTijdBegindatum"`
	Eind  string       `xml:"dekkingInTijdEinddatum,omitempty"`
}

type mdtoEvent struct {
	Type *mdtoConcept  `xml:"eventType"`
	Tijd string        `xml:"eventTijd"`
	Wie  mdtoReference `xml:"eventVerantwoordelijkeActor"`
}

type mdtoRestriction struct {
	Type         *mdtoConcept `xml:"beperkingGebruikType"`
	Beschrijving string       `xml:"beperkingGebruikNadereBeschrijving"`
}
