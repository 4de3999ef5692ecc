package simulation

import (
	"slices"
	"strings"
)

// topic is what the crowd has to say about one sort of consultation.
type topic struct {
	name     string
	language string
	keywords []string // in slug, URL or text of the consultation
	replies  []string // to the consultation
	answers  []string // to somebody's reply
}

// topics returns everything the crowd can say: three topics and, as a last
// resort, a general one for each language. All texts were written for the demo.
func topics() []topic {
	answersNL := []string{
		"Daar ben ik het mee eens, al maak ik me wel zorgen over de kosten.",
		"Ik zie dat toch anders. Heb je ook aan de bewoners van de Kade gedacht?",
		"Goed punt, zo had ik er nog niet naar gekeken.",
		"Dat is precies wat mijn buurvrouw ook zegt.",
		"Is daar al eens onderzoek naar gedaan? Ik ben benieuwd naar de cijfers.",
		"Nou, op zaterdag is het echt heel anders hoor.",
		"Kan het niet allebei? Dan is iedereen tevreden.",
		"Dank voor de uitleg, nu snap ik beter waarom mensen dit willen.",
		"Dit werkt in Deventer al jaren prima.",
		"Met alle respect, maar dat plan hebben we in 2014 ook al gehoord.",
	}
	answersEN := []string{
		"Fair point, I had not thought of deliveries.",
		"I disagree: my kids use that street every day and it feels unsafe.",
		"Agreed, and it would be cheap to try for a summer.",
		"Do you have numbers for that? The count on the website says otherwise.",
		"Same experience here, especially around five o'clock.",
		"That would only push the traffic one street further.",
		"Thanks, that changed my mind a bit.",
		"Could we have both? Start with one and see how it goes.",
		"The shopkeepers I know are actually in favour.",
		"Yes, but please with proper lighting this time.",
	}
	return []topic{
		{"square", "nl", []string{"havenplein", "haven", "plein", "harbour"}, []string{
			"Doe mij maar bomen. In augustus is het plein één grote bakplaat.",
			"Een markthal trekt ook in de winter mensen, dat missen we hier echt.",
			"Denk aan de ouderen uit de Havenflat: bankjes met een leuning graag!",
			"Waar moeten de marktkooplui op vrijdag hun wagens kwijt als alles groen wordt?",
			"Mijn dochter van zes wil een klimschip. Ik geef het even door.",
			"Parkeren kan prima in de garage aan de Oostwal, die staat half leeg.",
			"Zonder parkeerplaatsen verliest mijn winkel klanten. Dat hoor ik nu al elke week.",
			"Kunnen er ook fietsenrekken komen? Nu staan ze tegen elke gevel.",
			"Plant alsjeblieft geen platanen, de hele buurt heeft er hooikoorts van.",
			"Water en groen samen: een wadi kost weinig en voorkomt natte kelders.",
			"Het plein is ook gedenkplaats voor de vissers. Laat het monument staan.",
			"Een speelplek én een terras ernaast, dan hebben ouders ook wat.",
			"Wie onderhoudt dit straks? De plantenbakken van vorig jaar zijn nu asbakken.",
			"Graag goede verlichting, 's avonds loop ik er liever omheen.",
			"Ik mis een optie voor podium en kleine concerten. Nu wijken we uit naar het park.",
			"Rolstoeltoegankelijk zonder kinderkopjes, dat is alles wat ik vraag.",
			"De gemeente kiest toch wat ze wil. Maar goed, ik heb gestemd: bomen.",
			"Een markthal met producten van boeren uit de streek, daar fiets ik voor om.",
			"Let op de wind: aan de waterkant waait alles weg wat niet vaststaat.",
			"Kunnen we een jaar proefdraaien met losse bakken en tafels voordat alles vastligt?",
			"Als schippersgezin willen we met de auto bij de steiger kunnen laden en lossen.",
			"Mooi dat jullie dit vragen. Komt er ook een avond waar je de tekeningen kunt zien?",
		}, answersNL},
		{"cycling", "en", []string{"bicycle", "cycl", "bike", "fiets"}, []string{
			"Mill Lane first, please. Two near misses with my cargo bike last month alone.",
			"School Street at half past eight is chaos. Start there.",
			"Fine with me as long as ambulances can still get through.",
			"Station Road is the link everyone uses. Without it the rest makes no sense.",
			"I drive a delivery van. Give us loading bays and I am all for it.",
			"Please resurface before you repaint. The bricks on Church Street are a washboard.",
			"Red asphalt does nothing unless through traffic is actually stopped.",
			"My mother walks with a frame. Where does she cross when bikes have priority?",
			"Try it for six months and publish the counts, then decide.",
			"Why is Canal Side not on the list? It is the only flat route into town.",
			"Cycle streets worked well in the east of the city, speeds really dropped.",
			"I voted for three of them, but money for one done well beats three done badly.",
			"Think about winter: who grits these streets at six in the morning?",
			"Residents on Mill Lane need to know where visitors may park.",
			"As a teenager: we just want to get to training without dodging cars.",
			"Speed is not the problem, parked SUVs are. You cannot see around them.",
			"Could the bus keep its stop on Station Road? Otherwise it is a long walk.",
			"Great idea, but the traffic lights at the bridge need a cyclist phase too.",
			"No more bicycle streets until the existing ones have decent signs.",
			"Lighting! The stretch under the railway is pitch dark from October.",
		}, answersEN},
		{"neighbourhood", "nl", []string{"wijk", "buurt", "mist", "neighbourhood"}, []string{
			"Een plek waar je zonder iets te kopen kunt zitten. De bibliotheek is te ver.",
			"Een pinautomaat. Mijn vader van 84 moet nu met de bus.",
			"Meer prullenbakken langs de route naar de middelbare school.",
			"Ik mis een huisarts die nog nieuwe patiënten aanneemt.",
			"Een trapveldje dat niet onder water staat na elke bui.",
			"De buurtbus op zondag! Zonder auto ben je hier opgesloten.",
			"Schaduw. Er staat in onze hele straat nog geen boom.",
			"Een jongerencentrum. Nu hangen ze bij de supermarkt en dan klaagt iedereen.",
			"Betaalbare woningen voor mensen die hier zijn opgegroeid, mijn zoon vindt niets.",
			"Openbaar toilet bij de speeltuin, elke ouder weet waarom.",
			"Een markt, al is het maar één ochtend in de week.",
			"Minder, niet meer: haal die lege reclameborden eens weg.",
			"Wie groente wil verbouwen staat vier jaar op de wachtlijst voor een tuintje.",
			"Drempels in de Lindelaan. Er wordt gewoon zeventig gereden.",
			"Ik mis de brievenbus en eigenlijk ook de wijkagent.",
			"Een reparatiecafé zou hier goed lopen, ik wil best helpen met fietsen.",
			"Eerlijk? Niets. Ik woon hier veertig jaar met plezier.",
			"Goede stoepen. Met een rollator is de Kerkweg een hindernisbaan.",
			"Nederlandse les in de buurt, overdag, met opvang voor de kleintjes.",
			"Stilte. Die vrachtwagens om vijf uur 's ochtends kunnen toch later?",
			"Laadpalen, we zijn nu met elf auto's voor één paal.",
			"Een prikbord, een echt, van hout. Niet iedereen zit op internet.",
		}, answersNL},
		{"general", "nl", nil, []string{
			"Fijn dat hier naar gevraagd wordt. Wanneer horen we wat ermee gebeurt?",
			"Ik vind de vraag wat breed, maar ik doe mee.",
			"Graag ook rekening houden met mensen die slecht ter been zijn.",
		}, answersNL},
		{"general", "en", nil, []string{
			"Good to be asked. When will we hear what becomes of it?",
			"The question is rather broad, but count me in.",
			"Please keep people who cannot walk far in mind.",
		}, answersEN},
	}
}

// topicFor picks the topic of a consultation by its keywords; the general
// topic of its language if none fits.
func topicFor(all []topic, language, about string) topic {
	about = strings.ToLower(about)
	best, score := topic{}, 0
	for _, t := range all {
		n := 0
		for _, k := range t.keywords {
			if strings.Contains(about, k) {
				n++
			}
		}
		if n > score {
			best, score = t, n
		}
	}
	if score > 0 {
		return best
	}
	i := slices.IndexFunc(all, func(t topic) bool { return t.keywords == nil && t.language == language })
	if i < 0 {
		i = len(all) - 1
	}
	return all[i]
}

// privateMessage is what one account asks in private.
const privateMessage = "Goedemiddag, kan ik mijn stem ook nog op papier uitbrengen?"

// complaint is the reason given with the one report.
const complaint = "Dit heeft niets met de vraag te maken."

// afterthought is what an edit adds.
func afterthought(language string) string {
	if language == "nl" {
		return " (Aangevuld: en bedankt voor het lezen.)"
	}
	return " (Edited: fixed a typo, meaning unchanged.)"
}

// people returns n believable people: handle, shown name and language, none
// twice. The order is always the same.
func people(n int) []person {
	first := []string{"Fatima", "Jan", "Sanne", "Mehmet", "Willemijn", "Daan", "Aisha", "Kees", "Noor", "Ruben", "Ingrid", "Youssef",
		"Lotte", "Pieter", "Gülcan", "Thijs", "Marieke", "Samir", "Hanneke", "Bram", "Emma", "Oliver", "Priya", "George", "Chloe",
		"Hugh", "Amara", "Tom", "Ruth", "Callum"}
	dutch := []string{"de Vries", "Jansen", "El Amrani", "van den Berg", "Bakker", "Yılmaz", "Visser", "Smit", "Hoekstra", "Postma",
		"Kuipers", "Dijkstra", "Bouzid", "van Leeuwen", "Mulder", "Schouten", "Veenstra"}
	english := []string{"Whitfield", "Okafor", "Patel", "Harper", "Doyle", "Ashworth", "Bennett", "Marlowe", "Pryce", "Sinclair", "Turner"}
	const dutchFirst = 20
	var all []person
	for round := 0; len(all) < n; round++ {
		for i, name := range first {
			if len(all) == n {
				break
			}
			p := person{language: "nl", family: dutch[(i*5+round)%len(dutch)]}
			if i >= dutchFirst {
				p = person{language: "en", family: english[(i*3+round)%len(english)]}
			}
			p.first = name
			p.handle = handleOf(p.first + "_" + p.family)
			if round >= 11 { // the names repeat: tell people apart by a number
				p.handle += "_" + string(rune('a'+round%26)) + string(rune('a'+round/26%26))
			}
			all = append(all, p)
		}
	}
	return all
}

// person is one member of the crowd.
type person struct{ first, family, handle, language string }

// handleOf writes a name with the letters that every server takes.
func handleOf(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'ü':
			return 'u'
		case r == 'ı':
			return 'i'
		case r >= 'a' && r <= 'z', r == '_':
			return r
		}
		return -1
	}, strings.ToLower(name))
}
