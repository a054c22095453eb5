package specfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kvmnet/internal/spec"
)

// Problem is something wrong at a place of a file. Line and Column count from
// 1, columns in characters; Line is 0 when the whole file is meant. Excerpt is
// the line and, below it, a caret under the column.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Excerpt string `json:"excerpt,omitempty"`
	Refers  bool   `json:"-"` // as in spec.Problem
}

// String prints the problem as compilers do: place, path and message, then the
// excerpt and the hint on lines of their own, without a final newline.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Excerpt != "" {
		source, caret, _ := strings.Cut(p.Excerpt, "\n")
		number := fmt.Sprintf("%4d", p.Line)
		fmt.Fprintf(&b, "\n%s | %s\n%*s | %s", number, source, len(number), "", caret)
	}
	if p.Hint != "" {
		b.WriteString("\nhint: " + p.Hint)
	}
	return b.String()
}

// place is a position in the text.
type place struct{ line, column int }

// problem makes a problem at a place of the file.
func (f *File) problem(at place, path, message, hint string) Problem {
	p := Problem{File: f.Name, Line: at.line, Column: at.column, Path: path, Message: message, Hint: hint}
	if at.line >= 1 && at.line <= len(f.lines) {
		p.Excerpt = excerpt(f.runes(at.line), at.column)
	}
	return p
}

// runes returns a line as characters. The last line is kept: a file written by a
// program may be one line, with many problems.
func (f *File) runes(line int) []rune {
	if f.shown.line != line {
		f.shown.line, f.shown.runes = line, []rune(f.lines[line-1])
	}
	return f.shown.runes
}

// excerptWidth is how much of a line is shown, so that a file without line
// breaks does not fill the screen.
const excerptWidth = 100

// excerpt shows a line with a caret under a column. Control characters, which
// could steer a terminal, show as dots; tabs stay, in the caret's line too.
func excerpt(runes []rune, column int) string {
	at := min(max(column-1, 0), len(runes))
	from := max(0, min(at-excerptWidth/2, len(runes)-excerptWidth))
	runes = runes[from:min(len(runes), from+excerptWidth)]
	var shown, caret strings.Builder
	for i, r := range runes {
		if r != '\t' && !unicode.IsPrint(r) {
			r = '·'
		}
		shown.WriteRune(r)
		if i < at-from {
			caret.WriteRune(blank(r))
		}
	}
	return strings.TrimRight(shown.String(), " \t") + "\n" + caret.String() + "^"
}

// Showing adds the line that the problem is in, for files that are read elsewhere.
func (p Problem) Showing(line string) Problem {
	// A line may be a whole file: only what is around the column is looked at.
	column := min(p.Column, utf8.RuneCountInString(line)+1)
	for ; column > 2*excerptWidth; column-- {
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
	}
	runes := make([]rune, 0, 3*excerptWidth)
	for _, r := range line {
		if runes = append(runes, r); len(runes) == cap(runes) {
			break
		}
	}
	p.Excerpt = excerpt(runes, column)
	return p
}

func blank(r rune) rune {
	if r == '\t' {
		return r
	}
	return ' '
}

// Locate gives a problem of the Spec its place in the file: that of the value,
// or, when the value is missing, of the nearest object around it that is there. A
// problem of an object that is not in the file has no place: its Line is 0.
func (f *File) Locate(p spec.Problem) Problem {
	path := p.Path
	if !f.Has(p) {
		path = ""
	}
	for path != "" && f.places[path] == (place{}) {
		path = spec.Parent(path)
	}
	at := f.problem(f.places[path], p.Path, p.Message, p.Hint)
	at.Refers = p.Refers
	return at
}

func byPlace(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return problems
}
