package libvirtxml

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what we say into the scripts of testdata, where it is not what virsh says")

// TestUpdatesDoWhatTheScriptsSay makes every update of the scripts. What they expect
// is what virsh does, as TestVirshUpdatesAsTheScriptsSay finds; where it is not, the
// script says both.
func TestUpdatesDoWhatTheScriptsSay(t *testing.T) {
	for _, s := range scripts(t, "update") {
		for _, step := range s.steps {
			step.did(t, s.path, updated(t, s, step.update()))
		}
		if *update {
			s.write(t)
		}
	}
}

// did compares what became of a step with what the script has.
func (s *step) did(t *testing.T, path, got string) {
	t.Helper()
	switch {
	case *update && s.virsh == "" && got != s.want:
		s.virsh, s.want = s.want, got
	case *update:
		s.want = got
	case got != s.want:
		t.Errorf("%s: %s\n%swant\n%s", path, s.line, got, s.want)
	}
	if s.virsh != "" && s.reason == "" && !s.ours() {
		t.Errorf("%s: %s\nis not as in virsh, and nothing says why", path, s.line)
	}
}

// updated makes an update on a fresh copy of the network. One that fails changes
// nothing, and one that succeeds leaves what can be defined.
func updated(t *testing.T, s *script, u Update) string {
	t.Helper()
	n := read(t, s.network)
	if err := n.Update(u); err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %+v: %T is no *Error", s.path, u, err)
		}
		if after := n.Format(); after != s.network {
			t.Errorf("%s: %+v failed with %s, but left\n%s", s.path, u, err, after)
		}
		return outcome(e.Message, "", "")
	}
	after := n.Format()
	if again := read(t, after).Format(); again != after {
		t.Errorf("%s: %+v left what is read as\n%s", s.path, u, again)
	}
	return outcome("", s.network, after)
}

// read reads a network that is right.
func read(t testing.TB, text string) *Network {
	t.Helper()
	d, err := Read([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d.Network
}

// The scripts compare dumps, so the networks in them have to be dumps.
func TestScriptsBeginWithADump(t *testing.T) {
	for _, s := range slices.Concat(scripts(t, "update"), scripts(t, "port")) {
		if got := read(t, s.network).Format(); got != s.network {
			t.Errorf("%s begins with what is dumped as\n%s", s.path, got)
		}
	}
}

func TestEverySectionCanBeUpdatedAndIsTried(t *testing.T) {
	tried := map[string]bool{}
	for _, s := range scripts(t, "update") {
		for _, step := range s.steps {
			if !strings.HasPrefix(step.want, "error: ") {
				tried[step.update().Section] = true
			}
		}
	}
	for _, name := range UpdateSections() {
		if _, known := updatable[name]; !known {
			t.Errorf("%s is listed, but cannot be updated", name)
		}
		if !tried[name] {
			t.Errorf("no script updates %s", name)
		}
	}
	if len(updatable) != len(UpdateSections()) {
		t.Errorf("%d sections can be updated, %d are listed", len(updatable), len(UpdateSections()))
	}
}

func TestEveryCommandIsKnown(t *testing.T) {
	for _, name := range UpdateCommands() {
		if _, known := commands[name]; !known {
			t.Errorf("%s is listed, but not known", name)
		}
	}
	if len(commands) != len(UpdateCommands()) {
		t.Errorf("%d commands are known, %d are listed", len(commands), len(UpdateCommands()))
	}
}

func TestErrorsOfUpdatesPointIntoTheElement(t *testing.T) {
	n := read(t, "<network><name>n</name><ip address='10.0.0.1' prefix='24'/></network>")
	err := n.Update(Update{Command: "add", Section: "ip-dhcp-host", Parent: -1, XML: "<host\n  mac='52:54:00:00:00:01'\n  ip='x'/>"})
	var e *Error
	if !errors.As(err, &e) || e.Line != 3 || e.Column != 7 {
		t.Errorf("%#v is not at 3:7", err)
	}
}

// Other things may be wrong with a network than an update touches: those of a file of
// ours obey other rules than libvirt's.
func TestAnUpdateIsNotBlamedForWhatWasWrongBefore(t *testing.T) {
	n := read(t, `<network><name>n</name>
<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'/></dhcp></ip>
<ip address='10.1.0.1' prefix='24'><dhcp><range start='10.1.0.2' end='10.1.0.3'/></dhcp></ip></network>`)
	if n.whole() == nil {
		t.Fatal("the network is right")
	}
	if err := n.Update(Update{Command: "add", Section: "domain", Parent: -1, XML: "<domain name='a.example'/>"}); err != nil {
		t.Errorf("refused: %v", err)
	}
}
