package web

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/png"
	"math"
	"path"
	"strconv"
	"strings"
)

// A Logo stands at the top of every page, 40 CSS pixels high.
type Logo struct {
	Name string // of its file; .svg or .png
	Data []byte
	Alt  string // the words in it, for who cannot see it; "" if there are none
}

const (
	logoHeight   = 40
	maxLogo      = 64 << 10 // bytes: it comes with every first visit
	widestLogo   = 8        // times as wide as high
	logoTooLarge = "has %d KiB, and %d are the most: every visitor waits for it"
)

// shownLogo is what a template shows of a logo. Its size is known before it
// has arrived, so that nothing on the page moves.
type shownLogo struct {
	URL, Alt      string
	Width, Height int
}

// WithLogo puts a logo in the place of the icon. It is refused if it is neither
// SVG nor PNG, larger than 64 KiB or more than eight times as wide as high.
func WithLogo(l Logo) Option {
	return func(s *Site) error {
		if len(l.Data) > maxLogo {
			return fmt.Errorf("logo %s "+logoTooLarge, l.Name, len(l.Data)>>10, maxLogo>>10)
		}
		var ratio float64
		var err error
		switch ext := path.Ext(l.Name); ext {
		case ".svg":
			ratio, err = ratioOfSVG(l.Data)
		case ".png":
			ratio, err = ratioOfPNG(l.Data)
		default:
			err = fmt.Errorf("must be an .svg or .png file")
		}
		if err == nil && (ratio > widestLogo || !(ratio > 1.0/widestLogo)) {
			err = fmt.Errorf("is %.1f times as wide as high; between 1/%d and %[2]d fits above a page", ratio, widestLogo)
		}
		if err != nil {
			return fmt.Errorf("logo %s %w", l.Name, err)
		}
		s.logo = shownLogo{Alt: l.Alt, Width: int(math.Round(ratio * logoHeight)), Height: logoHeight}
		s.logoFile = "logo" + path.Ext(l.Name)
		s.addAsset(s.logoFile, l.Data)
		return nil
	}
}

func ratioOfPNG(data []byte) (float64, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, fmt.Errorf("is no PNG that can be read: %w", err)
	}
	return float64(c.Width) / float64(c.Height), nil
}

// ratioOfSVG reads the size off the root element: its viewBox, else width and
// height (SVG 2 §8.6).
func ratioOfSVG(data []byte) (float64, error) {
	var root struct {
		XMLName xml.Name
		ViewBox string `xml:"viewBox,attr"`
		Width   string `xml:"width,attr"`
		Height  string `xml:"height,attr"`
	}
	if err := xml.Unmarshal(data, &root); err != nil {
		return 0, fmt.Errorf("is no SVG that can be read: %w", err)
	}
	if root.XMLName.Space != "http://www.w3.org/2000/svg" || root.XMLName.Local != "svg" {
		return 0, fmt.Errorf("is no SVG: its root element is %q, not svg of http://www.w3.org/2000/svg", root.XMLName.Local)
	}
	width, height := strings.TrimSuffix(root.Width, "px"), strings.TrimSuffix(root.Height, "px")
	if box := strings.Fields(strings.ReplaceAll(root.ViewBox, ",", " ")); len(box) == 4 {
		width, height = box[2], box[3]
	}
	w, err := strconv.ParseFloat(width, 64)
	if err != nil {
		return 0, fmt.Errorf("has no viewBox, nor width and height in pixels: its shape is not known")
	}
	h, err := strconv.ParseFloat(height, 64)
	if err != nil || h == 0 {
		return 0, fmt.Errorf("has no viewBox, nor width and height in pixels: its shape is not known")
	}
	return w / h, nil
}
