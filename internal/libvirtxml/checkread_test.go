package libvirtxml

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/peers"
	"kvmnet/internal/xmltree"
)

// libvirt's answer to a file of the corpus is ours, but for what is listed.
var different = map[string]string{}

// corpus are networks as people publish them.
func corpus(t *testing.T) []string {
	t.Helper()
	names, _ := filepath.Glob("../../../shared/corpus/networks/*.xml")
	if len(names) == 0 {
		t.Skip("the corpus of networks is not on this machine")
	}
	return names
}

// Published networks are refused and dumped as libvirt refuses and dumps them.
func TestPublishedNetworksAreTakenAsLibvirtTakesThem(t *testing.T) {
	t.Parallel()
	names := corpus(t)
	lv := peers.StartLibvirt(t)
	var documents []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(text))
	}
	for i, theirs := range askLibvirt(t, lv, documents) {
		name, ours := names[i], say(documents[i])
		reason := different[filepath.Base(name)]
		switch {
		case theirs != ours && reason == "":
			t.Errorf("%s\nlibvirt says:\n%s\nwe say:\n%s", filepath.Base(name), theirs, ours)
		case theirs == ours && reason != "":
			t.Errorf("%s: a reason for no difference", filepath.Base(name))
		}
	}
}

// Dumps of published networks read back as they are.
func TestPublishedNetworksAreStable(t *testing.T) {
	t.Parallel()
	for _, name := range corpus(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		readsBack(t, string(text))
	}
}

// readsBack checks that a document, if it is taken, has a dump that reads back as it is.
func readsBack(t *testing.T, text string) {
	t.Helper()
	d, err := Read([]byte(text))
	if err != nil {
		return
	}
	dump := d.Network.Format()
	again, err := Read([]byte(dump))
	if err != nil {
		t.Fatalf("%q\nis dumped as\n%s\nwhich is refused: %v", text, dump, err)
	}
	if got := again.Network.Format(); got != dump {
		t.Fatalf("%q\nis dumped as\n%s\nand then as\n%s", text, dump, got)
	}
}

// The largest documents that are read do not keep the reader long.
func TestLargestDocumentsAreReadSoon(t *testing.T) {
	t.Parallel()
	space := func(n int) string { return strings.Repeat(" xmlns:abc"+"='u'", 1) + strings.Repeat(" ", n) }
	var attributes strings.Builder
	for i := range xmltree.MaxAttributes {
		attributes.WriteString(" a" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)) + "='1'")
	}
	for name, text := range map[string]string{
		"elements":   strings.Repeat("<x/>", xmltree.MaxElements-10),
		"hosts":      "<ip address='10.0.0.1'><dhcp>" + strings.Repeat("<host name='a' ip='10.0.0.5'/>", 30000) + "</dhcp></ip>",
		"namespaces": strings.Repeat("<x"+space(1)+">", xmltree.MaxDepth-2) + strings.Repeat("<abc:y/>", 50000) + strings.Repeat("</x>", xmltree.MaxDepth-2),
		"attributes": strings.Repeat("<x"+attributes.String()+"/>", 60),
		"metadata":   "<metadata>" + strings.Repeat("<k:x xmlns:k='u'>", 60) + strings.Repeat("<k:y> </k:y>", 50000) + strings.Repeat("</k:x>", 60) + "</metadata>",
		"groups":     strings.Repeat("<portgroup name='p'/>", 40000),
		"text":       strings.Repeat("a&amp;\n", 100000),
	} {
		start := time.Now()
		d, err := Read([]byte("<network><name>a</name>" + text + "</network>"))
		if err != nil {
			t.Errorf("%s: %.200v", name, err)
			continue
		}
		d.Network.Check()
		d.Network.Format()
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: read after %s", name, took)
		}
		t.Logf("%s: %s", name, time.Since(start))
	}
}
