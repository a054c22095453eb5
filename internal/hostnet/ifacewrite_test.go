package hostnet

import (
	"errors"
	"os"
	"strings"
	"testing"

	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// twoPorts is a bridge of two NICs: its files are several.
func twoPorts() spec.HostInterface {
	i := spec.HostInterface{Name: "br7", Type: spec.BridgeInterface, IPv4: &spec.InterfaceIP{DHCP: true},
		Bridge: &spec.BridgeDetails{Ports: []spec.HostInterface{{Name: "eth0"}, {Name: "eth1"}}}}
	i.Default()
	return i
}

// kept is the record of br7, "" when there is none.
func (m *machine) kept() string {
	m.t.Helper()
	text, err := os.ReadFile(m.definitionPath("br7"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.t.Fatal(err)
	}
	return string(text)
}

// stopped arms a change of a definition, makes the first files of it, and is gone: the
// next daemon finds that.
func (m *machine) stopped(r rewriting, files int) {
	m.t.Helper()
	c, err := r.arming("define")
	if err == nil {
		_, err = m.journal.Arm(m.t.Context(), c)
	}
	part := r
	if part.Files = r.Files[:files]; err == nil {
		err = part.write(m.Host)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.journal.Abandon()
	m.open(m.StateDir)
	if _, err := m.Recover(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
}

// A definition is written as a whole or not at all, wherever the daemon is killed.
func TestADefinitionThatWasInterruptedIsTakenBack(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	before := m.files()
	d, err := m.planDefinition(twoPorts())
	if err != nil || len(d.Files) < 3 {
		t.Fatalf("%d files, %v", len(d.Files), err)
	}
	for n := range len(d.Files) + 1 {
		m.stopped(rewriting{Name: "br7", Files: d.Files, After: &d}, n)
		if m.unchanged(before); m.kept() != "" {
			t.Errorf("stopped after %d files: the record stays: %s", n, m.kept())
		}
	}
	if err := m.define7(); err != nil {
		t.Fatal(err)
	}
	defined, record := m.files(), m.kept()
	for _, e := range m.journal.Pending() {
		t.Errorf("it waits for somebody: %+v", e)
	}
	s, err := m.look()
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.undefinition(s, "br7")
	if err != nil || len(r.Files) < 3 {
		t.Fatalf("%d files, %v", len(r.Files), err)
	}
	for n := range len(r.Files) + 1 {
		m.stopped(r, n)
		if m.unchanged(defined); m.kept() != record {
			t.Errorf("stopped after %d files: the record is %s", n, m.kept())
		}
	}
	if err := m.UndefineInterface(t.Context(), "br7"); err != nil {
		t.Fatal(err)
	}
	if m.unchanged(before); m.kept() != "" {
		t.Error("the record stays")
	}
}

func (m *machine) define7() error { return m.defineChecked(m.t.Context(), twoPorts()) }

// What somebody writes meanwhile is not lost when the rest is taken back.
func TestAnInterruptedDefinitionLeavesEditsOfOthersAlone(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	d, err := m.planDefinition(twoPorts())
	if err != nil {
		t.Fatal(err)
	}
	edited := d.Files[0].Path
	want := m.files()
	want[edited] = "# mine\n"
	if err := netfiles.Write(m.root, d.Files); err != nil {
		t.Fatal(err)
	}
	m.write(edited, "# mine\n")
	m.stopped(rewriting{Name: "br7", Files: d.Files, After: &d}, 0)
	m.unchanged(want)
}

// A write that fails leaves all as it was, and nobody holds the name.
func TestADefinitionThatCannotBeWrittenChangesNothing(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	d, err := m.planDefinition(twoPorts())
	if err != nil {
		t.Fatal(err)
	}
	before := m.files()
	bad := d
	bad.Files = append(bad.Files[:len(bad.Files):len(bad.Files)], netfiles.Change{Path: "/etc/hostname/x", After: []byte("x"), Mode: 0o644})
	m.write("/etc/hostname", "x")
	before["/etc/hostname"] = "x"
	if err := m.Host.define(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "define br7: ") {
		t.Errorf("error %v", err)
	}
	if m.unchanged(before); m.kept() != "" || m.journal.Held("br7") != nil {
		t.Errorf("record %q, %v", m.kept(), m.journal.Held("br7"))
	}
	if err := m.define7(); err != nil {
		t.Error(err)
	}
}
