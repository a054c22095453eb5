package netfiles

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/spec"
)

var update = flag.Bool("update", false, "write what is the case into testdata")

// running is an Asker of a list.
type running []string

func (r running) Running(program string) bool { return slices.Contains(r, program) }

// scene is one file of testdata: a system, and what is to be done to it.
type scene struct {
	path    string
	archive *txtar.Archive
	say     map[string]string // words of the comment: "nic: eth0"
}

func scenes(t *testing.T, pattern string) []scene {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenes at %s: %v", pattern, err)
	}
	var list []scene
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		s := scene{p, a, map[string]string{}}
		for l := range strings.Lines(string(a.Comment)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(l), ": "); ok {
				s.say[key] = value
			}
		}
		list = append(list, s)
	}
	return list
}

// root lays the files of a scene out.
func (s scene) root(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	put := func(p, text string, mode fs.FileMode) {
		full := filepath.Join(root, p)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), mode), os.Chmod(full, mode)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range s.archive.Files {
		mode := fs.FileMode(0o644)
		if strings.Contains(f.Name, "nmconnection") || strings.Contains(f.Name, "netplan") {
			mode = 0o600
		}
		if strings.HasPrefix(f.Name, "/") {
			put(f.Name, string(f.Data), mode)
		}
	}
	for _, p := range strings.Fields(s.say["present"]) {
		put(p, "", 0o755)
	}
	return root
}

// tree reads a root, and knows the NIC.
func (s scene) tree(t testing.TB, root string) Tree {
	t.Helper()
	tree, err := Read(root, "")
	if err != nil {
		t.Fatal(err)
	}
	l := Link{Index: 2, Type: "ether", Driver: s.say["driver"], Path: s.say["path"], ClientID: s.say["client-id"]}
	l.MAC, l.PermanentMAC = s.mac(), s.mac()
	tree.Links[s.say["nic"]] = l
	return tree
}

func (s scene) mac() spec.MAC {
	mac, _ := spec.ParseMAC(s.say["mac"])
	return mac
}

func (s scene) conversion() Conversion {
	mtu, _ := strconv.Atoi(s.say["mtu"])
	delay, _ := strconv.Atoi(s.say["delay"])
	return Conversion{NIC: s.say["nic"], Bridge: "br0", MAC: s.mac(), STP: s.say["stp"] == "on", Delay: spec.Seconds(delay), MTU: mtu,
		Live: spec.HostInterface{Name: s.say["nic"], Type: spec.EthernetInterface, IPv4: &spec.InterfaceIP{DHCP: true}, IPv6: &spec.InterfaceIP{Autoconf: true}}}
}

// golden compares a part of a scene, or writes it.
func (s scene) golden(t *testing.T, name, got string) {
	t.Helper()
	at := slices.IndexFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == name })
	if *update {
		s.archive.Files = slices.DeleteFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == name })
		if got != "" {
			s.archive.Files = append(s.archive.Files, txtar.File{Name: name, Data: []byte(got)})
		}
		if err := os.WriteFile(s.path, txtar.Format(s.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := ""
	if at >= 0 {
		want = string(s.archive.Files[at].Data)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s, %s (-want +got):\n%s", s.path, name, d)
	}
}

// disk is all that is below a root, with modes.
func disk(t testing.TB, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case info.Mode().IsRegular():
			b, bad := os.ReadFile(p)
			text, err = string(b), bad
		case info.Mode()&fs.ModeSymlink != 0:
			text, err = os.Readlink(p)
		}
		all[strings.TrimPrefix(p, root)] = fmt.Sprintf("%v %q", info.Mode(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestConversionsAreWrittenAndTakenBackByteForByte holds each scene's diff, and what the
// files say of the bridge then, against its own, writes it, and takes it back.
func TestConversionsAreWrittenAndTakenBackByteForByte(t *testing.T) {
	t.Parallel()
	for _, s := range scenes(t, "testdata/bridge/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			root := s.root(t)
			tree := s.tree(t, root)
			ask := running(strings.Fields(s.say["runs"]))
			m, err := Detect(tree, s.say["nic"], ask)
			if err != nil {
				s.golden(t, "error", err.Error()+"\n")
				return
			}
			if string(m) != s.say["manager"] {
				t.Errorf("detected %s, want %s; claims %v", m, s.say["manager"], Claims(tree, s.say["nic"], ask))
			}
			changes, err := Bridge(tree, m, s.conversion())
			if err != nil {
				s.golden(t, "error", err.Error()+"\n")
				return
			}
			s.golden(t, "diff", Diff(changes))
			before := disk(t, root)
			writeTwice(t, root, changes)
			s.after(t, root, m)
			writeTwice(t, root, Undo(changes))
			if d := cmp.Diff(before, disk(t, root)); d != "" {
				t.Errorf("after the undoing (-before +after):\n%s", d)
			}
		})
	}
}

func writeTwice(t *testing.T, root string, changes []Change) {
	t.Helper()
	for range 2 {
		if err := Write(root, changes); err != nil {
			t.Fatal(err)
		}
	}
}

// after reads the written files: they define the bridge, with the NIC as its port, and
// the warnings are as told.
func (s scene) after(t *testing.T, root string, m Manager) {
	t.Helper()
	tree := s.tree(t, root)
	i, err := Defined(tree, m, "br0")
	if err != nil || i == nil {
		t.Fatalf("br0 is not defined: %v", err)
	}
	if names := portNames(*i); i.Type != spec.BridgeInterface || !slices.Equal(names, []string{s.say["nic"]}) || i.MAC != s.mac() && m != Netplan {
		t.Errorf("br0 is a %s of %s with ports %v", i.Type, i.MAC, names)
	}
	if own, err := Defined(tree, m, s.say["nic"]); err != nil || own != nil && (own.IPv4 != nil || own.IPv6 != nil) {
		t.Errorf("%s still has addresses: %+v %v", s.say["nic"], own, err)
	}
}
