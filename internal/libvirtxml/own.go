package libvirtxml

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"

	"kvmnet/internal/spec"
)

// ownNamespace is that of the element in <metadata> that says what libvirt's own
// elements cannot.
const ownNamespace = "https://kvmnet.dev/xmlns/network/1"

// setting is a value of a network by its place there.
type setting struct {
	path  []string
	value string // JSON
}

// own makes the element that leads from what a document says to the network, if they
// differ. Autostart is not in it: libvirt has that beside the definition.
func own(says, n *spec.Network) (Element, bool) {
	a, b := cloned(says), cloned(n)
	a.Autostart, b.Autostart, a.Libvirt, b.Libvirt = nil, nil, nil, nil
	a.Bridge.Name = b.Bridge.Name // a name that is left to be made
	list := differences(nil, reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	if len(list) == 0 {
		return Element{}, false
	}
	var w strings.Builder
	w.WriteString(`<kvmnet:network xmlns:kvmnet="` + ownNamespace + "\">\n")
	for _, s := range list {
		w.WriteString(`  <kvmnet:set path="` + escaped(pathText(s.path)) + `">` + escaped(plain(s.value)) + "</kvmnet:set>\n")
	}
	w.WriteString("</kvmnet:network>")
	return Element{Namespace: ownNamespace, Text: w.String()}, true
}

func pathText(path []string) string {
	words := make([]string, len(path))
	for i, word := range path {
		words[i] = url.PathEscape(word)
	}
	return strings.Join(words, "/")
}

// plain writes a text without quotes where nothing else could be meant.
func plain(value string) string {
	var text string
	if json.Unmarshal([]byte(value), &text) != nil || text == "" || json.Valid([]byte(text)) || text != strings.TrimSpace(text) || text != speakable(text) || strings.ContainsAny(text, "\n\t") {
		return value
	}
	return text
}

// quoted undoes plain.
func quoted(text string) string {
	if json.Valid([]byte(text)) {
		return text
	}
	return encoded(text)
}

// encoded is the JSON of a value, in characters that XML can hold.
func encoded(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("encode a part of a network: %v", err))
	}
	var w strings.Builder
	for _, r := range strings.TrimSpace(b.String()) {
		if r != utf8.RuneError && speakable(string(r)) == "" {
			fmt.Fprintf(&w, `\u%04x`, r)
			continue
		}
		w.WriteRune(r)
	}
	return w.String()
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(b.String())
}

// settings reads our own element.
func settings(e Element) ([]setting, error) {
	root, _, err := readElement(e.Text, networkLabel)
	if err != nil {
		return nil, err
	}
	var list []setting
	for _, set := range root.Named("set") {
		s := setting{value: quoted(strings.TrimSpace(set.Content()))}
		for word := range strings.SplitSeq(set.Value("path"), "/") {
			plain, err := url.PathUnescape(word)
			if err != nil {
				return nil, err
			}
			s.path = append(s.path, plain)
		}
		list = append(list, s)
	}
	return list, nil
}

// addOwn sets what our own element says, as far as it does not change what the other
// elements say: whoever edited those meant it.
func (t *translation) addOwn(e Element) {
	list, err := settings(e)
	if err != nil {
		t.say("metadata[0]", "", "the element of kvmnet in <metadata> cannot be read: %v", err)
		return
	}
	says := render("", t.to)
	try := func(n *spec.Network, some []setting) bool {
		for _, s := range some {
			if !assign(reflect.ValueOf(n).Elem(), s.path, s.value) {
				return false
			}
		}
		return equal(render("", n), says)
	}
	if n := cloned(t.to); try(n, list) {
		t.to = n
		return
	}
	for _, s := range list {
		if n := cloned(t.to); try(n, []setting{s}) {
			t.to = n
			continue
		}
		t.say("metadata[0]", "", "%s in the element of kvmnet has no effect, because the document itself says otherwise", pathText(s.path))
	}
}
