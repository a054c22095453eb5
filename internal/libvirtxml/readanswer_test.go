package libvirtxml

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// answer is a document and what virsh net-define makes of it: the dump, or the error.
// Where we say something else, ours and the reason are there too.
type answer struct {
	document string
	body     bool // the document is the inside of a network of the name a
	reason   string
	theirs   string
	ours     string
}

// text is the whole document.
func (a answer) text() string {
	if a.body {
		return "<network><name>a</name>" + a.document + "</network>"
	}
	return a.document
}

// wanted is what we have to say.
func (a answer) wanted() string {
	if a.reason != "" {
		return a.ours
	}
	return a.theirs
}

// A document is in a line, behind >> or, when it is a body, behind >. Below it are the
// answers: theirs behind |, a reason behind !, ours behind =.
func readAnswers(t *testing.T, name string) []answer {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		rest = unescapedLine(rest)
		if mark == ">" || mark == ">>" {
			answers = append(answers, answer{document: rest, body: mark == ">"})
			continue
		}
		if len(answers) == 0 {
			continue
		}
		switch a := &answers[len(answers)-1]; mark {
		case "|":
			a.theirs += rest + "\n"
		case "!":
			a.reason = rest
		case "=":
			a.ours += rest + "\n"
		}
	}
	return answers
}

func writeAnswers(t *testing.T, name string, answers []answer) {
	t.Helper()
	var b strings.Builder
	for _, a := range answers {
		mark := ">>"
		if a.body {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %s\n", mark, escapedLine(a.document))
		if a.reason != "" {
			fmt.Fprintf(&b, "! %s\n", a.reason)
		}
		for line := range strings.Lines(a.theirs) {
			fmt.Fprintf(&b, "| %s\n", escapedLine(strings.TrimSuffix(line, "\n")))
		}
		for line := range strings.Lines(a.ours) {
			fmt.Fprintf(&b, "= %s\n", escapedLine(strings.TrimSuffix(line, "\n")))
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// escapedLine writes what would not survive in a line of a file.
func escapedLine(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\\' || c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

var escapeSequence = regexp.MustCompile(`\\(n|x[0-9a-f]{2})`)

func unescapedLine(s string) string {
	return escapeSequence.ReplaceAllStringFunc(s, func(e string) string {
		if e == `\n` {
			return "\n"
		}
		var c byte
		fmt.Sscanf(e[2:], "%02x", &c)
		return string([]byte{c})
	})
}
