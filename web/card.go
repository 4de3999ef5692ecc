package web

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

// A Card is the picture of a question for those who link to it: 1200 by 630 pixels,
// the size that Open Graph readers show without cutting (https://ogp.me names none).
// Nothing on it counts anything.
type Card struct {
	Site  string // whose question it is
	Title string // the question
	State string // one word or a few
	When  string // until when, or since when
	Foot  string // where it is
}

// The card's measures in pixels, and its colours: those of the style sheet in light.
const (
	cardWidth, cardHeight = 1200, 630
	cardEdge              = 72
	maxLines              = 5
	maxRunes              = 400 // more does not fit, and is not laid out to find that out
)

type cardColours struct{ ground, band, text, soft, onBand color.NRGBA }

func lightColours() cardColours {
	return cardColours{
		ground: color.NRGBA{0xff, 0xff, 0xff, 0xff}, band: color.NRGBA{0x15, 0x42, 0x73, 0xff},
		text: color.NRGBA{0x16, 0x20, 0x2b, 0xff}, soft: color.NRGBA{0x46, 0x53, 0x5f, 0xff}, onBand: color.NRGBA{0xff, 0xff, 0xff, 0xff},
	}
}

// A Painter draws cards. Its fonts, the Go fonts, have the letters of Latin, Greek
// and Cyrillic. It is safe for one use at a time.
type Painter struct {
	regular, bold *sfnt.Font
	faces         map[string]font.Face
	buffer        sfnt.Buffer
}

// NewPainter reads the fonts.
func NewPainter() (*Painter, error) {
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	return &Painter{regular: regular, bold: bold, faces: map[string]font.Face{}}, nil
}

// Card draws a card as PNG. What the fonts do not have is left out: a symbol alone,
// such as an emoji; a whole text if it lacks letters of it, for half a word is worse
// than none, and then the card shows the rest.
func (p *Painter) Card(c Card) ([]byte, error) {
	colours := lightColours()
	img := image.NewRGBA(image.Rect(0, 0, cardWidth, cardHeight))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	const band = 120
	fill(img.Bounds(), colours.ground)
	fill(image.Rect(0, 0, cardWidth, band), colours.band)
	fill(image.Rect(cardEdge, 496, cardWidth-cardEdge, 499), colours.soft)

	site, err := p.face(p.bold, 40)
	if err != nil {
		return nil, err
	}
	small, err := p.face(p.regular, 32)
	if err != nil {
		return nil, err
	}
	strong, err := p.face(p.bold, 32)
	if err != nil {
		return nil, err
	}
	const width = cardWidth - 2*cardEdge
	write := func(face font.Face, ink color.Color, x, y int, text string) int {
		d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(x, y)}
		d.DrawString(text)
		return d.Dot.X.Ceil()
	}
	one := func(face font.Face, text string, width int) string {
		return strings.Join(p.lines(face, p.drawable(text), width, 1), "")
	}
	write(site, colours.onBand, cardEdge, 74, one(site, c.Site, width))

	title, size := p.drawable(c.Title), 64
	var lines []string
	var face font.Face
	for ; size >= 44; size -= 10 {
		if face, err = p.face(p.bold, float64(size)); err != nil {
			return nil, err
		}
		if lines = p.lines(face, title, width, maxLines+1); len(lines)*size*5/4 <= 340 {
			break
		}
	}
	size = max(size, 44)
	lines = p.lines(face, title, width, min(maxLines, 340/(size*5/4)))
	for i, line := range lines {
		write(face, colours.text, cardEdge, band+24+size+i*size*5/4, line)
	}
	x := write(strong, colours.text, cardEdge, 546, one(strong, c.State, width/2)) + 24
	write(small, colours.text, x, 546, one(small, c.When, cardWidth-cardEdge-x))
	write(small, colours.soft, cardEdge, 594, one(small, c.Foot, width))

	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(&b, paletted(img, colours)); err != nil {
		return nil, fmt.Errorf("write card: %w", err)
	}
	return b.Bytes(), nil
}

// face is a font in a size, made once.
func (p *Painter) face(f *sfnt.Font, size float64) (font.Face, error) {
	name := fmt.Sprint(f == p.bold, size)
	if p.faces[name] == nil {
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			return nil, fmt.Errorf("make font: %w", err)
		}
		p.faces[name] = face
	}
	return p.faces[name], nil
}

// drawable is a text as the fonts can show it: composed (NFC), spaces single, without
// what is invisible or has no glyph; "" if a letter or digit has none.
func (p *Painter) drawable(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range norm.NFC.String(strings.Join(strings.Fields(firstRunes(text, 4*maxRunes)), " ")) {
		if n++; n > maxRunes {
			break
		}
		has := p.has(r)
		switch {
		case has && unicode.IsGraphic(r):
			b.WriteRune(r)
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			return ""
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// firstRunes cuts a text before anything is done with it that takes time.
func firstRunes(text string, n int) string {
	for at := range text {
		if n--; n < 0 {
			return text[:at]
		}
	}
	return text
}

func (p *Painter) has(r rune) bool {
	for _, f := range []*sfnt.Font{p.regular, p.bold} {
		if i, err := f.GlyphIndex(&p.buffer, r); err != nil || i == 0 {
			return false
		}
	}
	return true
}

// lines breaks a text at spaces into lines that fit a width, and a word that is
// longer than a line where it must. What is too much for so many lines ends in "…".
func (p *Painter) lines(face font.Face, text string, width, most int) (lines []string) {
	fits := func(s string) bool { return font.MeasureString(face, s).Ceil() <= width }
	line := ""
	for _, word := range strings.Fields(text) {
		if longer := strings.TrimSpace(line + " " + word); fits(longer) {
			line = longer
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = word
		for line != "" && !fits(line) {
			cut := fitting(line, fits)
			lines, line = append(lines, line[:cut]), line[cut:]
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	if len(lines) > most {
		lines = lines[:most]
		last := lines[most-1]
		for last != "" && !fits(last+"…") {
			runes := []rune(last)
			last = strings.TrimSpace(string(runes[:len(runes)-1]))
		}
		lines[most-1] = last + "…"
	}
	return lines
}

// fitting is how many bytes of a word fit, in whole runes and at least one.
func fitting(word string, fits func(string) bool) (cut int) {
	for at := range word {
		if at > 0 && !fits(word[:at]) {
			break
		}
		cut = at
	}
	if cut == 0 {
		cut = len(firstRunes(word, 1))
	}
	return cut
}

// paletted gives a picture few colours: those of the card and what lies between two
// of them, at the edges of letters. It is a third as large then.
func paletted(img *image.RGBA, c cardColours) *image.Paletted {
	var palette color.Palette
	index := map[color.NRGBA]uint8{}
	add := func(x color.NRGBA) {
		if _, known := index[x]; !known {
			index[x] = uint8(len(palette))
			palette = append(palette, x)
		}
	}
	const steps = 15
	for _, pair := range [][2]color.NRGBA{{c.ground, c.text}, {c.ground, c.soft}, {c.band, c.onBand}} {
		for i := range steps + 1 {
			mix := func(a, b uint8) uint8 { return uint8((int(a)*(steps-i) + int(b)*i) / steps) }
			add(color.NRGBA{mix(pair[0].R, pair[1].R), mix(pair[0].G, pair[1].G), mix(pair[0].B, pair[1].B), 0xff})
		}
	}
	out := image.NewPaletted(img.Bounds(), palette)
	before, n := c.ground, uint8(0) // the first of the palette
	for i := range out.Pix {
		at := color.NRGBA{img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], 0xff}
		if at != before { // most are as their neighbour
			known := false
			if n, known = index[at]; !known {
				n = uint8(palette.Index(at))
				index[at] = n
			}
			before = at
		}
		out.Pix[i] = n
	}
	return out
}
