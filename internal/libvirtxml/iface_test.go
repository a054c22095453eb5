package libvirtxml

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/peers"
)

// interfaceAnswers holds documents of interfaces and what virsh makes of them.
const interfaceAnswers = "testdata/iface/answers.txt"

// sayInterface is what we make of a document.
func sayInterface(text string) string {
	f := ParseInterface("x.xml", []byte(text))
	if e := f.Refusal(); e != nil {
		return "error: " + strings.TrimRight(e.Message, "\n") + "\n"
	}
	if problems := f.Validate(); len(problems) > 0 {
		return "error: " + problems[0].Path + ": " + problems[0].Message + "\n"
	}
	return FormatInterface(&f.Interface, nil)
}

// Every document is refused in the words of libvirt, or dumped as libvirt dumps it.
func TestInterfacesAreTakenAsLibvirtTakesThem(t *testing.T) {
	t.Parallel()
	answers := readAnswers(t, interfaceAnswers)
	for _, a := range answers {
		if a.reason != "" && a.ours == a.theirs {
			t.Errorf("a reason for no difference: %s", escapedLine(a.document))
		}
		if got := sayInterface(a.document); got != a.wanted() {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", escapedLine(a.document), got, a.wanted())
		}
	}
	if len(answers) < 90 {
		t.Errorf("only %d documents", len(answers))
	}
}

// What is recorded is what the libvirt of this machine says, of which one driver keeps
// interfaces: the one for tests.
func TestRecordedInterfacesAreThoseOfVirsh(t *testing.T) {
	t.Parallel()
	peers.Need(t, "virsh", "libvirt-clients")
	if version, err := exec.Command("virsh", "version").Output(); !strings.HasPrefix(string(version), "9.0.") && err == nil {
		t.Log(string(version))
	}
	answers := readAnswers(t, interfaceAnswers)
	for i, theirs := range askTestDriver(t, answers) {
		a := &answers[i]
		if !*record && theirs != a.theirs {
			t.Errorf("%s\nlibvirt says:\n%s\nrecorded is:\n%s", escapedLine(a.document), theirs, a.theirs)
		}
		if a.theirs = theirs; a.reason != "" {
			a.ours = sayInterface(a.document)
		}
	}
	if *record {
		writeAnswers(t, interfaceAnswers, answers)
	}
}

var interfaceName = regexp.MustCompile(`^<interface[^>]* name='([^']*)'`)

// askTestDriver defines an interface of each document and dumps it, all in one virsh:
// what the driver keeps ends with it.
func askTestDriver(t *testing.T, answers []answer) []string {
	t.Helper()
	dir := t.TempDir()
	var commands []string
	for i, a := range answers {
		file, name := filepath.Join(dir, fmt.Sprintf("%d.xml", i)), "none"
		if err := os.WriteFile(file, []byte(a.document), 0o644); err != nil {
			t.Fatal(err)
		}
		if found := interfaceName.FindStringSubmatch(a.document); found != nil && found[1] != "" {
			name = strings.ReplaceAll(found[1], "&amp;", "&")
		}
		commands = append(commands, fmt.Sprintf("echo ==%d==; echo --err ==%d==; iface-define %s; iface-dumpxml '%s'; iface-undefine '%s'", i, i, file, name, name))
	}
	cmd := exec.Command("virsh", "-c", "test:///default", strings.Join(commands, "; "))
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && out.Len() == 0 {
		t.Fatalf("%v: %s", err, errs.String())
	}
	all := make([]string, len(answers))
	for i := range answers {
		said := part(out.String(), fmt.Sprintf("==%d==", i))
		if all[i] = dumpedInterface(said); !strings.Contains(said, " defined from ") {
			_, message, _ := strings.Cut(part(errs.String(), fmt.Sprintf("error: ==%d==", i)), "\n")
			message, _, _ = strings.Cut(message, "\nerror: failed to get interface ")
			all[i] = strings.TrimRight(message, "\n") + "\n"
		}
	}
	return all
}

// dumpedInterface is the dump among what the commands of a document print.
func dumpedInterface(out string) string {
	_, dump, _ := strings.Cut(out, "\n\n")
	if end := strings.LastIndex(dump, "\n\nInterface "); end >= 0 {
		dump = dump[:end]
	}
	return dump + "\n"
}
