package specfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// File is a file that was read: what it says, and where. It is not for use by
// several goroutines at once.
type File struct {
	Name string
	Spec *spec.Spec // never nil; without defaults; without the values that are at fault

	lines []string
	shown struct {
		line  int
		runes []rune
	}
	places   map[string]place // by path of the value
	problems []Problem        // of reading
	faulty   map[string]bool  // paths of values that could not be read
}

// Parse reads a YAML stream, of which JSON is a part. All its documents count as
// one. It returns what could be read and every problem of reading, ordered by
// place; the rules of package spec are checked by File.Validate.
func Parse(name string, text []byte) (*File, []Problem) {
	f := &File{Name: name, Spec: &spec.Spec{}, places: map[string]place{}, faulty: map[string]bool{}}
	f.read(text, &decoder{file: f, into: reflect.ValueOf(f.Spec).Elem()})
	return f, f.problems
}

// read reads a text with a decoder, unless it cannot be one.
func (f *File) read(text []byte, d *decoder) {
	source := strings.TrimPrefix(string(text), "\ufeff")
	f.lines = splitLines(source)
	if f.problems = f.checkText(source); f.problems == nil {
		d.stream([]byte(source))
		f.problems = byPlace(d.problems)
	}
}

// stream reads document after document until the end or the first syntax error,
// after which nothing can be trusted.
func (d *decoder) stream(text []byte) {
	// The parser's own guards: its tree is never deeper than its own limit, and
	// aliases are not expanded in it.
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		d.add(place{}, "", err.Error(), "")
		return
	}
	documents := 0
	for {
		doc, err := next(loader)
		switch {
		case errors.Is(err, io.EOF):
			if documents == 0 {
				d.add(place{}, "", "the file defines nothing", d.emptyHint())
			}
			return
		case err != nil:
			d.syntax(err)
			return
		}
		for _, n := range doc.Content {
			if !isNull(n) {
				if documents++; documents > 1 && d.single {
					d.add(placeOf(n), "", "the file has a second document", "write one object in each file")
					return
				}
				d.value("", n, d.into)
			}
		}
	}
}

func (d *decoder) emptyHint() string {
	return "begin with one of: " + strings.Join(keys(d.into.Type()), ", ")
}

// next reads a document. The parser reports some broken states by panicking; a
// file must not be able to stop the daemon.
func next(loader *yaml.Loader) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser stopped: %v", r)
		}
	}()
	doc = &yaml.Node{}
	return doc, loader.Load(doc)
}

// syntax reports what the parser said, with its place.
func (d *decoder) syntax(err error) {
	at, message := place{}, err.Error()
	var e *yaml.LoadError
	if errors.As(err, &e) {
		at, message = d.file.textBefore(place{e.Mark.Line, e.Mark.Column}), e.Message
		if e.ContextMsg != "" {
			message = fmt.Sprintf("%s: %s", e.ContextMsg, message)
		}
		if e.ContextMark.Line > 0 && e.ContextMark.Line < at.line {
			message += fmt.Sprintf(" (it begins at line %d)", e.ContextMark.Line)
		}
	}
	d.add(at, "", "YAML syntax: "+message, d.syntaxHint(at, message))
}

// textBefore moves a place behind the last text of the file to that text, since
// there is nothing to show after it.
func (f *File) textBefore(at place) place {
	for line := min(at.line, len(f.lines)); line > 0; line-- {
		text := strings.TrimRight(f.lines[line-1], " \t")
		switch {
		case text == "":
		case line < at.line:
			return place{line, utf8.RuneCountInString(text) + 1}
		default:
			return at
		}
	}
	return place{}
}

func (d *decoder) syntaxHint(at place, message string) string {
	line := ""
	if at.line >= 1 && at.line <= len(d.file.lines) {
		line = d.file.lines[at.line-1]
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		return "indent with spaces, YAML does not allow tabs"
	case strings.Contains(message, "mapping values"):
		return `quote a value that contains ": " or ends with ":", and check the indentation`
	case strings.Contains(message, "unknown anchor"):
		return "an alias needs an anchor (&name) before it in the same document"
	case strings.Contains(message, "start any token") && strings.ContainsAny(line, "@`%"):
		return "quote a value that begins with a special character"
	}
	return ""
}

// Validate checks the file's Spec together with what is already defined, which
// may be nil, and returns the problems of the file, those of reading included,
// ordered by place. Rules that broke only because a value could not be read are
// left out.
func (f *File) Validate(defined *spec.Spec) []Problem {
	merged := f.Spec
	if defined != nil {
		merged = defined.Merge(f.Spec)
	}
	problems := append([]Problem(nil), f.problems...)
	for _, p := range merged.Validate() {
		if f.Has(p) && !f.followsFrom(p.Path) {
			problems = append(problems, f.Locate(p))
		}
	}
	return byPlace(problems)
}

// Has reports whether a problem is in one of the file's own objects.
func (f *File) Has(p spec.Problem) bool {
	kind, name := p.Object()
	return f.places[spec.Field(spec.Field("", kind), name)] != (place{})
}

// followsFrom reports whether a broken rule is due to a problem of reading at the
// value, around it, or at a mistyped key that was meant to be it.
func (f *File) followsFrom(path string) bool {
	for ; path != ""; path = spec.Parent(path) {
		if f.faulty[path] {
			return true
		}
	}
	return false
}
