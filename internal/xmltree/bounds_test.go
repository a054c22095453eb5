package xmltree

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What could take long or much memory is refused before anything is made of it.
func TestLargeDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	inside := func(s string) string { return "<a>" + s + "</a>" }
	for name, test := range map[string]struct{ text, want string }{
		"size":       {inside(strings.Repeat(" ", MaxSize)), "at most 1048576 are read"},
		"depth":      {strings.Repeat("<x>", MaxDepth+1), "more than 64 times"},
		"elements":   {inside(strings.Repeat("<x/>", MaxElements)), "more than 100000 elements"},
		"attributes": {inside("<x" + strings.Repeat(" a='1'", MaxAttributes+1) + "/>"), "more than 1000 attributes"},
		"namespaces": {inside("<x" + strings.Repeat(" xmlns:a='1'", MaxAttributes+1) + "/>"), "more than 1000 attributes"},
		"laughs":     {"<!DOCTYPE lolz [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>" + inside("&b;"), "has declarations of its own"},
		"file":       {"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + inside("&a;"), "has declarations of its own"},
		"elsewhere":  {"<!DOCTYPE x SYSTEM 'http://127.0.0.1/x'>" + inside("&a;"), "Entity 'a' not defined"},
		"UTF-16":     {"\xff\xfe<\x00n\x00", "is UTF-16"},
		"big UTF-16": {"\x00<\x00n", "is UTF-16"},
		"NUL":        {inside("\x00"), "has a NUL byte"},
	} {
		start := time.Now()
		_, _, err := Parse(test.text)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, test.want) || e.Line != 1 || len(e.In("x")) > 2*longestLine {
			t.Errorf("%s: %.200v", name, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: refused after %s", name, took)
		}
	}
}

// What is at a bound, and not beyond, is read.
func TestDocumentsAtTheBoundsAreRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"size":     "<a>" + strings.Repeat(" ", MaxSize-len("<a></a>")) + "</a>",
		"depth":    strings.Repeat("<x>", MaxDepth) + strings.Repeat("</x>", MaxDepth),
		"elements": "<a>" + strings.Repeat("<x/>", MaxElements-1) + "</a>",
		"doctype":  "<!DOCTYPE a PUBLIC 'x' 'y' [ ]><a/>",
		"marked":   "\ufeff<a/>",
	} {
		if _, _, err := Parse(text); err != nil {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}
