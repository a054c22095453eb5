package netfiles

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
)

// lay makes a root of files.
func lay(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for p, text := range files {
		full := filepath.Join(root, p)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		must(t, os.WriteFile(full, []byte(text), 0o644))
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsWrittenWhenAFileIsNoLongerAsItWas(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{"/etc/a": "1", "/etc/b": "changed", "/etc/c": "made"})
	err := Write(root, []Change{
		{Path: "/etc/a", Before: []byte("1"), After: []byte("2"), Mode: 0o644},
		{Path: "/etc/b", Before: []byte("1"), After: []byte("2"), Mode: 0o644},
		{Path: "/etc/c", After: []byte("2"), Mode: 0o644},
		{Path: "/etc/d", Before: []byte("1"), After: nil, Mode: 0o644},
		{Path: "etc/../e", After: []byte("2"), Mode: 0o644},
	})
	want := `write /etc/b: it was changed since the change was worked out, and would be lost: look at it, and ask for the change again
write /etc/c: it has been made since the change was worked out, and would be lost: look at it, and ask for the change again
write "etc/../e": it is not a clean absolute path`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if got := disk(t, root)["/etc/a"]; !strings.HasSuffix(got, `"1"`) {
		t.Errorf("/etc/a was written: %s", got)
	}
}

// TestAListThatWasWrittenInPartIsContinued begins after each number of files, there and
// back, with what a crash may leave beside them.
func TestAListThatWasWrittenInPartIsContinued(t *testing.T) {
	t.Parallel()
	changes := []Change{
		{Path: "/etc/new/deep/a", After: []byte("a"), Mode: 0o600, Dirs: []string{"/etc/new", "/etc/new/deep"}},
		{Path: "/etc/new/deep/b", After: []byte(""), Mode: 0o644, Dirs: []string{"/etc/new", "/etc/new/deep"}},
		{Path: "/etc/old", Before: []byte("old"), Mode: 0o644},
		{Path: "/etc/stays", Before: []byte("1"), After: []byte("2"), Mode: 0o644},
	}
	// A journal keeps them.
	text, err := json.Marshal(changes)
	must(t, err)
	changes = nil
	must(t, json.Unmarshal(text, &changes))
	files := map[string]string{"/etc/old": "old", "/etc/stays": "1"}
	done := lay(t, files)
	must(t, Write(done, changes))
	if _, err := os.Stat(filepath.Join(done, "/etc/new/deep/b")); err != nil {
		t.Fatalf("an empty file is not the same as none: %v", err)
	}
	for n := range changes {
		root := lay(t, files)
		before := disk(t, root)
		must(t, Write(root, changes[:n]))
		must(t, os.WriteFile(filepath.Join(root, "/etc/.stays.kvmnet~"), []byte("half"), 0o600))
		must(t, Write(root, changes))
		if d := cmp.Diff(disk(t, done), disk(t, root)); d != "" {
			t.Errorf("continued after %d (-at once +continued):\n%s", n, d)
		}
		back := Undo(changes)
		must(t, Write(root, back[:n]))
		must(t, Write(root, back))
		if d := cmp.Diff(before, disk(t, root)); d != "" {
			t.Errorf("undone after %d (-before +after):\n%s", n, d)
		}
	}
}

// TestDirectoryWithFilesOfOthersStays undoes where somebody else has put a file.
func TestDirectoryWithFilesOfOthersStays(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{"/etc/x": ""})
	changes := []Change{{Path: "/etc/new/a", After: []byte("a"), Mode: 0o644, Dirs: []string{"/etc/new"}}}
	must(t, Write(root, changes))
	must(t, os.WriteFile(filepath.Join(root, "/etc/new/mine"), nil, 0o644))
	must(t, Write(root, Undo(changes)))
	if _, err := os.Stat(filepath.Join(root, "/etc/new/mine")); err != nil {
		t.Error(err)
	}
}

func TestLinksModesAndOwnersStay(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	root := lay(t, map[string]string{"/etc/netplan/real.txt": "network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n", "/srv/gone.yaml": "network: {ethernets: {eth0: {dhcp6: true}}}\n"})
	must(t, os.Symlink("real.txt", filepath.Join(root, "etc/netplan/10.yaml")))
	must(t, os.Symlink("/srv/gone.yaml", filepath.Join(root, "etc/netplan/20.yaml")))
	must(t, os.Chmod(filepath.Join(root, "etc/netplan/real.txt"), 0o640))
	must(t, os.Chown(filepath.Join(root, "etc/netplan/real.txt"), 7, 8))
	before := disk(t, root)
	tree, err := Read(root, "")
	must(t, err)
	changes, err := Bridge(tree, Netplan, Conversion{NIC: "eth0", Bridge: "br0", MAC: [6]byte{2, 1}})
	must(t, err)
	must(t, Write(root, changes))
	after := disk(t, root)
	if after["/etc/netplan/10.yaml"] != before["/etc/netplan/10.yaml"] || !strings.Contains(after["/etc/netplan/real.txt"], "br0") || !strings.Contains(after["/srv/gone.yaml"], "br0") {
		t.Errorf("links were not followed: %q", after)
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(root, "etc/netplan/real.txt"), &st))
	if st.Uid != 7 || st.Gid != 8 || st.Mode&0o777 != 0o640 {
		t.Errorf("owner %d:%d, mode %o", st.Uid, st.Gid, st.Mode&0o777)
	}
	must(t, Write(root, Undo(changes)))
	if d := cmp.Diff(before, disk(t, root)); d != "" {
		t.Errorf("after the undoing (-before +after):\n%s", d)
	}
}

// TestARemovedFileComesBackWithItsOwner, and a removed link as a link.
func TestARemovedFileComesBackWithItsOwner(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	root := lay(t, map[string]string{"/etc/sysconfig/network-scripts/ifcfg-br0": "DEVICE=br0\n", "/srv/route": "192.0.2.0/24 dev br0\n"})
	route := filepath.Join(root, "/etc/sysconfig/network-scripts/route-br0")
	must(t, os.Symlink("/srv/route", route))
	file := filepath.Join(root, "/etc/sysconfig/network-scripts/ifcfg-br0")
	must(t, os.Chown(file, 7, 8))
	before := disk(t, root)
	tree, err := Read(root, "")
	must(t, err)
	changes, err := Undefine(tree, Ifcfg, "br0")
	must(t, err)
	must(t, Write(root, changes))
	if _, err := os.Lstat(route); err == nil {
		t.Error("the link is still there")
	}
	must(t, Write(root, Undo(changes)))
	var st unix.Stat_t
	must(t, unix.Stat(file, &st))
	if d := cmp.Diff(before, disk(t, root)); d != "" || st.Uid != 7 || st.Gid != 8 {
		t.Errorf("owner %d:%d after the undoing (-before +after):\n%s", st.Uid, st.Gid, d)
	}
}

func TestReadTellsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{"/etc/netplan/big.yaml": strings.Repeat("#", maxFile+1)})
	must(t, os.Symlink("loop.yaml", filepath.Join(root, "etc/netplan/loop.yaml")))
	must(t, os.Symlink("nowhere", filepath.Join(root, "etc/netplan/dangling.yaml")))
	_, err := Read(root, "")
	want := "read /etc/netplan/big.yaml: it has more than 1048576 bytes\nread /etc/netplan/loop.yaml: too many symbolic links"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestFilesThatOthersNameAreRead(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{
		"/etc/network/interfaces": "source more/*\nsource /srv/net/eth?\nsource-directory dir\n",
		"/etc/network/more/a":     "source ../loop\n",
		"/etc/network/loop":       "source /etc/network/interfaces\niface eth9 inet manual\n",
		"/srv/net/eth0":           "iface eth0 inet dhcp\n",
		"/srv/net/wlan0":          "iface wlan0 inet dhcp\n",
		"/etc/network/dir/eth1":   "iface eth1 inet dhcp\n",
		"/etc/network/dir/e.old":  "iface eth2 inet dhcp\n",
	})
	tree, err := Read(root, "")
	must(t, err)
	got := strings.Join(ifupdownNames(tree), " ")
	if got != "eth9 eth0 eth1" {
		t.Errorf("got %s", got)
	}
}

// A file that says what a user's says has its mode and its group: it may hold a secret,
// and be read by systemd-networkd, which is no root.
func TestACopyBelongsToWhoeverReadsTheFirst(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	const group = 54321
	user := "/etc/systemd/network/10-eth0.network"
	root := lay(t, map[string]string{user: "[Match]\nName=eth0\n\n[Network]\nAddress=192.0.2.7/24\n"})
	must(t, os.Chown(filepath.Join(root, user), 0, group))
	must(t, os.Chmod(filepath.Join(root, user), 0o640))
	before := disk(t, root)
	tree, err := Read(root, "")
	must(t, err)
	changes, err := Bridge(tree, Networkd, Conversion{NIC: "eth0", Bridge: "br0", MAC: [6]byte{2, 0, 0, 0, 0, 1}})
	must(t, err)
	must(t, Write(root, changes))
	copied := 0
	for _, c := range changes {
		if !strings.Contains(string(c.After), "192.0.2.7") {
			continue
		}
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(root, c.Path), &st))
		if copied++; st.Gid != group || st.Uid != 0 || st.Mode&0o777 != 0o640 {
			t.Errorf("%s belongs to %d:%d, mode %o", c.Path, st.Uid, st.Gid, st.Mode)
		}
	}
	if copied == 0 {
		t.Error("the address is in no file")
	}
	must(t, Write(root, Undo(changes)))
	if d := cmp.Diff(before, disk(t, root)); d != "" {
		t.Error(d)
	}
}
