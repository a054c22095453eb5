package netfiles

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// variables are those that a POSIX shell has after it read a file, as the network scripts
// do. (Debian has no network scripts of RHEL: that a real one makes the bridge is not
// shown here.)
func variables(t *testing.T, file string) map[string]string {
	t.Helper()
	cmd := exec.Command("sh", "-c", `. "$1" && set`, "sh", file)
	cmd.Env = []string{}
	out, err := cmd.Output()
	must(t, err)
	vars := map[string]string{}
	for _, a := range parseShell(string(out)) {
		if a.key != "" && !slices.Contains([]string{"IFS", "OPTIND", "PATH", "PPID", "PS1", "PS2", "PS4", "PWD", "_"}, a.key) {
			vars[a.key] = a.value
		}
	}
	return vars
}

// TestAShellReadsTheFilesOfTheBridge holds each variable of the bridge's file and the
// NIC's, as a shell reads them, against what the user's file said.
func TestAShellReadsTheFilesOfTheBridge(t *testing.T) {
	t.Parallel()
	for _, s := range scenes(t, "testdata/bridge/ifcfg-*.txtar") {
		root := s.root(t)
		tree := s.tree(t, root)
		users, ok := ifcfgOf(tree, s.say["nic"], tree.link(s.say["nic"]))
		if !ok {
			t.Fatal("no file of the NIC")
		}
		file := func(name string) string { return filepath.Join(root, ifcfgDir, name) }
		before := variables(t, filepath.Join(root, users.path))
		changes, err := Bridge(tree, Ifcfg, s.conversion())
		must(t, err)
		must(t, Write(root, changes))
		bridge, nic := variables(t, file("ifcfg-br0")), variables(t, filepath.Join(root, users.path))
		for key, want := range map[string]string{"DEVICE": "br0", "TYPE": "Bridge", "STP": "no", "DELAY": "0", "MACADDR": strings.ToUpper(s.say["mac"])} {
			if bridge[key] != want {
				t.Errorf("%s: the bridge's %s is %q, want %q", s.path, key, bridge[key], want)
			}
		}
		for key, was := range before {
			stays := slices.Contains(ifcfgStays, key)
			got, there := bridge[key], stays || bridge[key] == strings.ReplaceAll(was, "%"+s.say["nic"], "%br0")
			if !there {
				t.Errorf("%s: the bridge's %s is %q, was %q", s.path, key, got, was)
			}
			if after, has := nic[key]; key != "BOOTPROTO" && (stays && after != was || !stays && has) {
				t.Errorf("%s: the NIC's %s is %q, was %q", s.path, key, after, was)
			}
		}
		if nic["BRIDGE"] != "br0" || nic["BOOTPROTO"] != "none" || nic["DEVICE"] != s.say["nic"] {
			t.Errorf("%s: the NIC is no port: %v", s.path, nic)
		}
	}
}
