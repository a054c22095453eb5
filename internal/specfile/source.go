package specfile

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxSize is the largest file that is read, in bytes. Ten thousand networks take
// less than half of it.
const maxSize = 4 << 20

// checkText finds what makes a text unreadable as a whole: its size, its
// encoding, and characters that YAML does not allow and the parser would report
// without a place. It wants the lines to be set.
func (f *File) checkText(text string) []Problem {
	if len(text) > maxSize {
		message := fmt.Sprintf("the file has %d bytes, at most %d are read", len(text), maxSize)
		return []Problem{f.problem(place{}, "", message, "split it into several files")}
	}
	for i, line := range f.lines {
		column := 0
		for j, r := range line {
			column++
			at := place{i + 1, column}
			if _, size := utf8.DecodeRuneInString(line[j:]); r == utf8.RuneError && size == 1 {
				return []Problem{f.problem(at, "", "the file is not UTF-8 text", "save it as UTF-8")}
			}
			if !allowed(r) {
				return []Problem{f.problem(at, "", fmt.Sprintf("the character %U is not allowed", r), `write it as an escape inside double quotes`)}
			}
		}
	}
	return nil
}

// allowed reports whether a character may stand in YAML text (YAML 1.2.2
// section 5.1); line breaks are no part of a line.
func allowed(r rune) bool {
	switch {
	case r == '\t':
		return true
	case r < ' ' || r >= 0x7f && r < 0xa0:
		return false
	}
	return r != 0xfeff && r != 0xfffe && r != 0xffff
}

// splitLines splits a text where the YAML parser counts lines: also at a lone CR
// and at the Unicode line breaks NEL, LS and PS.
func splitLines(text string) []string {
	var lines []string
	for {
		i := strings.IndexAny(text, "\n\r\u0085\u2028\u2029")
		if i < 0 {
			return append(lines, text)
		}
		lines = append(lines, text[:i])
		_, size := utf8.DecodeRuneInString(text[i:])
		if strings.HasPrefix(text[i:], "\r\n") {
			size = 2
		}
		text = text[i+size:]
	}
}
