package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"inspraak/activitypub"
	"inspraak/participation"
	"inspraak/simulation"
	"inspraak/store"
)

// DemoOptions are what the demonstration takes from its command line.
type DemoOptions struct {
	Listen string // address of the node's pages
}

// The demonstration's pace: short enough to watch, real in every other way.
const (
	demoVoting   = 2 * time.Minute // until the first consultation closes
	demoInterval = 2 * time.Second
	demoGrace    = 2 * time.Second
	demoBatch    = 3
)

// runDemo runs a node in a temporary folder beside a simulated fediverse on
// loopback ports, whose accounts follow, vote and reply over signed HTTP, until
// ctx ends. Nothing is left behind.
func runDemo(ctx context.Context, o DemoOptions, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "inspraak-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config, err := demoConfig(dir, o.Listen)
	if err != nil {
		return err
	}
	n, err := demoNode(ctx, config)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, n.Close()) }()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	crowd, err := simulation.Start(ctx, simulation.FediverseConfig{
		Node:     config.URLs.Base,
		Channels: []string{config.URLs.Actor("gemeente"), config.URLs.Actor("mobility")},
		Kinds: []simulation.Kind{simulation.Mastodon, simulation.GoToSocial, simulation.GoToSocialOld,
			simulation.Misskey, simulation.Akkoma, simulation.Tootik},
		Seed: 1, CodeWord: config.Commands.Code[0],
	})
	if err != nil {
		stop()
		return errors.Join(fmt.Errorf("demo: %w", err), <-ended)
	}
	introduce(out, config, crowd)
	err = watch(ctx, out, n, crowd, ended)
	stop()
	crowd.Wait()
	fmt.Fprintln(out, "\nThe demonstration has ended; nothing is left behind.")
	return err
}

func demoConfig(dir, listen string) (Config, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || !loopbackName(host) {
		return Config{}, fmt.Errorf("demo: --listen %q: give a loopback address and port, such as 127.0.0.1:8080", listen)
	}
	c := Config{
		URL: "http://" + net.JoinHostPort(host, port), Loopback: true, Listen: listen, Data: dir,
		Keys: filepath.Join(dir, "keys"), Media: filepath.Join(dir, "media"),
		Name: "Gemeente Zeewijk", Language: "nl", Timezone: "Europe/Amsterdam", Contact: "inspraak@zeewijk.example",
		Commands: CommandsConfig(participation.DefaultCommands()),
		About: Texts{
			NL: "Gemeente Zeewijk bestaat niet. Dit is een **demonstratie**: de deelnemers zijn verzonnen.",
			EN: "Zeewijk is not a real municipality. This is a **demonstration**: those taking part are made up.",
		},
		OtherWays: Texts{
			NL: "Bel 14 0000, kom langs aan de balie in het stadhuis, of schrijf een brief naar Postbus 1.",
			EN: "Call 14 0000, visit the desk in the town hall, or write to PO Box 1.",
		},
	}
	if c.URLs, err = activitypub.NewURLs(c.URL); err != nil {
		return Config{}, fmt.Errorf("demo: %w", err)
	}
	if c.Zone, err = time.LoadLocation(c.Timezone); err != nil {
		return Config{}, fmt.Errorf("demo: %w", err)
	}
	return c, nil
}

// demoNode makes keys, channels and three consultations.
func demoNode(ctx context.Context, c Config) (*Node, error) {
	keys, err := store.OpenKeys(c.Keys, true)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{activitypub.InstanceKey, "gemeente", "mobility"} {
		if err := keys.CreateActorKey(name); err != nil {
			return nil, err
		}
	}
	if err := drawSquare(filepath.Join(c.Media, "havenplein.png")); err != nil {
		return nil, err
	}
	// Only what goes wrong is shown: the progress line tells the rest.
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	n, err := OpenNode(ctx, c, Surroundings{Log: log, Now: time.Now})
	if err != nil {
		return nil, err
	}
	for _, channel := range demoChannels(c) {
		if err := n.Service.SaveChannel(ctx, channel, false); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	for _, d := range demoConsultations(time.Now(), c.Zone) {
		if err := d.Prepare(); err != nil {
			return nil, errors.Join(err, n.Close())
		}
		if err := n.Service.Draft(ctx, &d); err != nil {
			return nil, errors.Join(err, n.Close())
		}
		if _, err := n.Service.Publish(ctx, d.ID); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

func demoChannels(c Config) []participation.Channel {
	website := []participation.Field{{Name: "Website", Value: c.URLs.Base}}
	return []participation.Channel{
		{Name: "gemeente", Title: c.Name, Language: "nl", Fields: website,
			Summary: "Hier vraagt de gemeente Zeewijk wat u vindt. Uw stem telt mee, en u hoort wat ermee gebeurt."},
		{Name: "mobility", Title: "Zeewijk on the move", Language: "en", Fields: website,
			Summary: "Consultations about streets, bicycles and buses."},
	}
}

func demoConsultations(now time.Time, zone *time.Location) []participation.Consultation {
	now = now.UTC().Truncate(time.Second)
	nl := participation.Terms{Level: participation.Advise,
		Promise:   "De raad weegt uw advies mee en schrijft op wat ermee is gedaan.",
		DecidedBy: "De gemeenteraad van Zeewijk", DecidedWhen: "In de raadsvergadering van februari",
		NotOpen:   "Het budget ligt vast, en het monument blijft staan.",
		Notice:    "Een stem of reactie hier is geen zienswijze of bezwaar. Die dient u in bij het gemeenteloket.",
		BatchSize: demoBatch, Interval: demoInterval, Grace: demoGrace}
	en := participation.Terms{Level: participation.Consult,
		Promise:   "The alderman publishes what was asked for most and what will be tried first.",
		DecidedBy: "The alderman for traffic", DecidedWhen: "Before the summer",
		NotOpen:   "Emergency services keep access to every street.",
		Notice:    "A vote or reply here is not a formal objection. You file that at the town hall's desk.",
		BatchSize: demoBatch, Interval: demoInterval, Grace: demoGrace}
	return []participation.Consultation{
		{Slug: "havenplein", Channel: "gemeente", Kind: participation.SingleChoice, Language: "nl",
			Title: "Hoe richten we het Havenplein in?",
			Body: "Het Havenplein krijgt volgend jaar een nieuwe inrichting. Er is plaats voor **één** grote ingreep.\n\n" +
				"Wat moet er komen? Kies wat u het belangrijkst vindt, en vertel in een reactie waarom.",
			Options: []string{"Bomen", "Markthal", "Speelplek", "Parkeren"}, Hashtags: []string{"Havenplein"},
			Image: &participation.Image{Path: "havenplein.png", MediaType: "image/png", Width: 960, Height: 400,
				Alt: "Plattegrond van het Havenplein: een open plein van steen, met het water van de haven aan de noordkant, een straat aan de zuidkant en nu maar vier bomen."},
			Terms: nl, Results: participation.AtClose, Zone: zone.String(), OpensAt: now, ClosesAt: now.Add(demoVoting)},
		{Slug: "bicycle-streets", Channel: "mobility", Kind: participation.MultipleChoice, Language: "en",
			Title: "Which streets should become bicycle streets first?",
			Body: "In a bicycle street, cars are guests. We can change a few streets each year.\n\n" +
				"Choose **as many as you like**. The counts are shown while voting goes on.",
			Options: []string{"Mill Lane", "Station Road", "Harbour Street", "School Street"}, Hashtags: []string{"bicyclestreets"},
			Terms: en, Results: participation.Live, Zone: zone.String(), OpensAt: now, ClosesAt: now.Add(2 * time.Hour)},
		{Slug: "mijn-wijk", Channel: "gemeente", Kind: participation.OpenQuestion, Language: "nl",
			Title: "Wat mist u in uw wijk?",
			Body: "De wijkteams maken hun plannen voor volgend jaar. Iets groots of iets kleins: **wat mist u** in uw wijk?\n\n" +
				"Reageer met één idee per bericht. Dan kunnen we op elk idee antwoord geven.",
			Hashtags: []string{"mijnwijk"},
			Terms:    nl, Results: participation.AtClose, Zone: zone.String(), OpensAt: now, ClosesAt: now.Add(2 * time.Hour)},
	}
}

// drawSquare makes the picture of the first consultation.
func drawSquare(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	picture := image.NewRGBA(image.Rect(0, 0, 960, 400))
	fill := func(x0, y0, x1, y1 int, c color.RGBA) {
		draw.Draw(picture, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
	}
	water, stone, street, house, tree := color.RGBA{120, 170, 200, 255}, color.RGBA{222, 212, 192, 255},
		color.RGBA{150, 150, 155, 255}, color.RGBA{176, 106, 84, 255}, color.RGBA{70, 120, 70, 255}
	fill(0, 0, 960, 400, stone)
	fill(0, 0, 960, 110, water)
	fill(0, 330, 960, 400, street)
	for x := 0; x < 960; x += 120 {
		fill(x+40, 362, x+90, 366, stone)
	}
	fill(0, 140, 90, 310, house)
	fill(870, 140, 960, 310, house)
	for _, x := range []int{200, 380, 580, 760} {
		for dy := -22; dy <= 22; dy++ {
			for dx := -22; dx <= 22; dx++ {
				if dx*dx+dy*dy <= 22*22 {
					picture.SetRGBA(x+dx, 280+dy, tree)
				}
			}
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, picture), f.Close())
}

func introduce(out io.Writer, c Config, crowd *simulation.Fediverse) {
	fmt.Fprintf(out, "\nInspraak: a node with three consultations, and %d simulated servers that take part.\n\n", len(crowd.Servers))
	fmt.Fprintf(out, "  %s                              all consultations\n", c.URLs.Base)
	fmt.Fprintf(out, "  %s    single choice, counts hidden, closes in %s\n", c.URLs.Page("havenplein"), demoVoting)
	fmt.Fprintf(out, "  %s  multiple choice, counts while voting\n", c.URLs.Page("bicycle-streets"))
	fmt.Fprintf(out, "  %s     open question\n\n", c.URLs.Page("mijn-wijk"))
	fmt.Fprintf(out, "Take part yourself: where a page asks for your account, type %s,\nand vote there as guest.\n", crowd.Servers[0].Account("guest").Handle())
	fmt.Fprintln(out, "Reload a page to see it grow. Ctrl-C ends it.")
	fmt.Fprintln(out)
}

// watch prints one line that keeps up with what happens: overwritten on a
// terminal, now and then elsewhere.
func watch(ctx context.Context, out io.Writer, n *Node, crowd *simulation.Fediverse, ended <-chan error) error {
	every, end := 5*time.Second, "\n"
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			every, end = time.Second, "\r"
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	told := false
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return <-ended
		case <-tick.C:
			open, err := n.Service.Consultations(ctx, participation.Filter{Phases: []participation.Phase{participation.Open}})
			if err != nil {
				continue // it is ending
			}
			fmt.Fprintf(out, "%s  received: %s; sent: %d activities; %d consultations open   %s", time.Now().Format("15:04:05"),
				crowd.Counters(), n.Federation.Stats().Delivered, len(open), end)
			if page := firstReceipt(crowd); page != "" && !told {
				told = true
				fmt.Fprintf(out, "\nA citizen asked by private message for the code of a vote; its page: %s\n\n", page)
			}
		}
	}
}

// firstReceipt is the page of a receipt that one of the crowd was sent; "" as
// long as nobody was.
func firstReceipt(crowd *simulation.Fediverse) string {
	for _, m := range crowd.Messages() {
		for _, link := range m.Links {
			if strings.Contains(link, "/receipt/") {
				return link
			}
		}
	}
	return ""
}
