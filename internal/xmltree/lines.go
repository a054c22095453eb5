package xmltree

import (
	"sort"
	"unicode/utf8"
)

// Lines knows where the lines of a text begin.
type Lines struct {
	text   string
	starts []int
}

func newLines(text string) *Lines {
	l := &Lines{text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// start is where the line of a byte begins.
func (l *Lines) start(at int) int {
	return l.starts[l.number(at)-1]
}

// number is the number of the line of a byte, from 1.
func (l *Lines) number(at int) int {
	return sort.SearchInts(l.starts, at+1)
}

// Position is the line and the column of a byte, from 1, columns in characters.
func (l *Lines) Position(at int) (line, column int) {
	return l.number(at), utf8.RuneCountInString(l.text[l.start(at):at]) + 1
}

// Line is the text of a line, without its end.
func (l *Lines) Line(number int) string {
	if number < 1 || number > len(l.starts) {
		return ""
	}
	end := len(l.text)
	if number < len(l.starts) {
		end = l.starts[number] - 1
	}
	text := l.text[l.starts[number-1]:end]
	for len(text) > 0 && text[len(text)-1] == '\r' {
		text = text[:len(text)-1]
	}
	return text
}
