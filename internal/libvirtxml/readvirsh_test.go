package libvirtxml

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/peers"
)

func answerFiles(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/virsh/*.txt")
	if err != nil || len(names) < 8 {
		t.Fatalf("found %d files: %v", len(names), err)
	}
	return names
}

// say is what we make of a document.
func say(text string) string {
	d, err := Read([]byte(text))
	if err == nil {
		err = d.Network.Check()
	}
	if err != nil {
		return "error: " + strings.TrimRight(err.Error(), "\n") + "\n"
	}
	return d.Network.Format()
}

// Every document is refused in the words of libvirt, or dumped as libvirt dumps it.
func TestDocumentsAreTakenAsLibvirtTakesThem(t *testing.T) {
	t.Parallel()
	count := 0
	for _, name := range answerFiles(t) {
		answers := readAnswers(t, name)
		count += len(answers)
		for _, a := range answers {
			if a.reason != "" && a.ours == a.theirs {
				t.Errorf("%s: a reason for no difference: %s", filepath.Base(name), escapedLine(a.document))
			}
			if got := say(a.text()); got != a.wanted() {
				t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", filepath.Base(name), escapedLine(a.document), got, a.wanted())
			}
		}
	}
	if count < 450 {
		t.Errorf("only %d documents", count)
	}
}

// What is recorded is what the libvirt of this machine says.
func TestRecordedAnswersAreThoseOfVirsh(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	if version := lv.Virsh("version", "--daemon").Out; !strings.Contains(version, "libvirt 9.0.") {
		t.Skip("the answers are those of libvirt 9.0, here is another")
	}
	for _, name := range answerFiles(t) {
		answers := readAnswers(t, name)
		var documents []string
		for _, a := range answers {
			documents = append(documents, a.text())
		}
		for i, theirs := range askLibvirt(t, lv, documents) {
			a := answers[i]
			if !*record && theirs != a.theirs {
				t.Errorf("%s: %s\nlibvirt says:\n%s\nrecorded is:\n%s", filepath.Base(name), escapedLine(a.document), theirs, a.theirs)
			}
			if answers[i].theirs = theirs; a.reason != "" {
				answers[i].ours = say(a.text())
			}
		}
		if *record {
			writeAnswers(t, name, answers)
		}
	}
}

// A dump reads back as the same network, without a note on it.
func TestDumpsReadBackAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, name := range answerFiles(t) {
		for _, a := range readAnswers(t, name) {
			dump := say(a.text())
			if strings.HasPrefix(dump, "error: ") {
				continue
			}
			d, err := Read([]byte(dump))
			if err != nil {
				t.Errorf("%s\nis dumped as\n%s\nwhich is refused: %v", escapedLine(a.document), dump, err)
				continue
			}
			if again := d.Network.Format(); again != dump {
				t.Errorf("%s\nis dumped as\n%s\nand then as\n%s", escapedLine(a.document), dump, again)
			}
			for _, p := range d.Notes {
				t.Errorf("%s\nis dumped as\n%s\non which there is a note: %s", escapedLine(a.document), dump, p)
			}
		}
	}
}

// Errors have the place of the value that is wrong.
func TestErrorsHaveAPlace(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"<network>\n  <name>a</nam>\n</network>":                                "2:16",
		"<network>\n  <uuid>x</uuid>\n</network>":                               "1:1",
		"<network>\n  <name>a</name>\n  <uuid>x</uuid>\n</network>":             "3:3",
		"<network>\n <name>a</name>\n <ip address='é' />\n</network>":           "3:15",
		"<network>\n <name>é</name><ip netmask='x' address='10.1' /></network>": "2:29",
		"<network><name>a</name>\r\n<mac address='x'/></network>":               "2:15",
	} {
		var e *Error
		if _, err := Read([]byte(document)); !errors.As(err, &e) {
			t.Errorf("%q: %v", document, err)
		} else if got := fmt.Sprintf("%d:%d", e.Line, e.Column); got != want {
			t.Errorf("%q: the error is at %s, want %s", document, got, want)
		}
	}
}
