package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is rows under a head. An empty cell prints as "-", so that every line
// has as many words as the head for awk and cut to count.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// show prints a table, or with --quiet its first column.
func (a *app) show(t *table) error {
	if a.quiet {
		for _, row := range t.rows {
			fmt.Fprintln(a.Stdout, row[0])
		}
		return nil
	}
	return t.write(a.Stdout, coloured(a.Stdout))
}

func (t *table) write(w io.Writer, colours bool) error {
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	state := slices.IndexFunc(t.head, func(name string) bool { return name == "STATE" || name == "RESULT" })
	rows := t.rows
	if t.head != nil {
		rows = append([][]string{t.head}, rows...)
	}
	for i, row := range rows {
		cells := slices.Clone(row)
		for j, cell := range cells {
			if cell == "" {
				cells[j] = "-"
			}
			if colours && j == state {
				cells[j] = paint(cells[j], i > 0)
			}
		}
		fmt.Fprintln(tab, strings.Join(cells, "\t"))
	}
	return tab.Flush()
}

// fields prints names and values, one pair a line, without those of no value.
func (a *app) fields(pairs ...string) error {
	tab := tabwriter.NewWriter(a.Stdout, 0, 8, 2, ' ', 0)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(tab, "%s:\t%s\n", pairs[i], strings.ReplaceAll(pairs[i+1], "\n", "\n\t"))
		}
	}
	return tab.Flush()
}

// Colours of the terminal, all written with as many bytes: tabwriter counts
// them into the width of a cell, so every cell of a column has to carry one.
const (
	plainColour = "\x1b[39m"
	red         = "\x1b[31m"
	green       = "\x1b[32m"
	yellow      = "\x1b[33m"
)

var stateColours = map[string]string{
	"running": green, "up": green, "ok": green,
	"on demand": yellow, "adopted": yellow, "down": yellow, "unchecked": yellow,
	"missing": red, "BROKEN": red,
}

// paint colours a state word; other cells of its column get the plain colour.
func paint(cell string, state bool) string {
	colour, known := stateColours[cell]
	if !known || !state {
		colour = plainColour
	}
	return colour + cell + plainColour
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// join prints a list of anything as words.
func join[T any](list []T, between string) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, between)
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
