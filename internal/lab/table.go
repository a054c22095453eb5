package lab

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// column is the head of a network's column.
type column struct{ name, mode, note string }

// paint marks text with a colour of the terminal, or leaves it alone.
type paint bool

func (p paint) green(s string) string { return p.code("32", s) }
func (p paint) red(s string) string   { return p.code("31;1", s) }
func (p paint) bold(s string) string  { return p.code("1", s) }

func (p paint) code(code, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// table prints the cells: a row a promise, a column a network, and in every field
// a mark for IPv4, a mark for IPv6, and what was seen. Columns that do not fit
// the width go into a further table; width 0 is endless.
func table(out io.Writer, columns []column, cells []*cell, width int, p paint) {
	rows, fields := arrange(cells)
	first := 0
	for _, r := range rows {
		first = max(first, utf8.RuneCountInString(r))
	}
	room := width - first
	if width == 0 {
		room = math.MaxInt
	}
	for len(columns) > 0 {
		n, sizes := fit(columns, rows, fields, room)
		line(out, first, "", sizes, p.bold, heads(columns[:n], func(c column) string { return c.name }))
		line(out, first, "", sizes, nil, heads(columns[:n], func(c column) string { return c.mode }))
		line(out, first, "", sizes, nil, heads(columns[:n], func(c column) string { return c.note }))
		for _, r := range rows {
			var texts []string
			for _, c := range columns[:n] {
				texts = append(texts, fields[r][c.name].text())
			}
			colour := func(s string) string {
				return strings.NewReplacer("✓", p.green("✓"), "✗", p.red("✗")).Replace(s)
			}
			line(out, first, r, sizes, colour, texts)
		}
		if columns = columns[n:]; len(columns) > 0 {
			fmt.Fprintln(out)
		}
	}
}

// field is the cells of one row and network, by family.
type field [2]*cell

// arrange sorts cells into rows, which keep the order of their first cell.
func arrange(cells []*cell) (rows []string, fields map[string]map[string]field) {
	fields = map[string]map[string]field{}
	for _, c := range cells {
		if fields[c.row] == nil {
			rows, fields[c.row] = append(rows, c.row), map[string]field{}
		}
		f := fields[c.row][c.column]
		f[c.family] = c
		fields[c.row][c.column] = f
	}
	return rows, fields
}

// text is what a field says: "✓✓ yes, kept". Families that differ say so apart.
func (f field) text() string {
	var marks string
	var seen []string
	for _, c := range f {
		switch {
		case c == nil:
			marks += "·"
			continue
		case c.held():
			marks += "✓"
		default:
			marks += "✗"
		}
		if !slices.Contains(seen, c.outcome) {
			seen = append(seen, c.outcome)
		}
	}
	if len(seen) == 0 {
		return "–"
	}
	return marks + " " + strings.Join(seen, " / ")
}

// fit returns how many columns fit, at least one, and how wide they are.
func fit(columns []column, rows []string, fields map[string]map[string]field, width int) (n int, sizes []int) {
	for _, c := range columns {
		size := 0
		for _, s := range []string{c.name, c.mode, c.note} {
			size = max(size, utf8.RuneCountInString(s))
		}
		for _, r := range rows {
			size = max(size, utf8.RuneCountInString(fields[r][c.name].text()))
		}
		if width -= size + 2; n > 0 && width < 0 {
			return n, sizes
		}
		n, sizes = n+1, append(sizes, size)
	}
	return n, sizes
}

func heads(columns []column, text func(column) string) (list []string) {
	for _, c := range columns {
		list = append(list, text(c))
	}
	return list
}

// line prints one line, padded before it is painted. Empty lines are left out.
func line(out io.Writer, first int, head string, sizes []int, colour func(string) string, texts []string) {
	b := pad(head, first)
	for i, t := range texts {
		b += "  " + pad(t, sizes[i])
	}
	if b = strings.TrimRight(b, " "); b == "" {
		return
	}
	if colour != nil {
		b = colour(b)
	}
	fmt.Fprintln(out, b)
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}
