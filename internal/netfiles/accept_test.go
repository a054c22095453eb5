package netfiles

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestToolsAcceptEveryDefinition has netplan's generator and ifupdown's ifquery read what
// is written of each definition.
func TestToolsAcceptEveryDefinition(t *testing.T) {
	t.Parallel()
	packages, err := find()
	if err != nil {
		t.Skip(err)
	}
	libraries, _ := filepath.Glob(filepath.Join(packages, "usr/lib/*-linux-gnu"))
	tools := map[Manager]func(root, name string) *exec.Cmd{
		Netplan: func(root, _ string) *exec.Cmd {
			return exec.Command(filepath.Join(packages, "usr/libexec/netplan/generate"), "--root-dir", root)
		},
		Ifupdown: func(root, name string) *exec.Cmd {
			// It reads other files by their absolute paths: only ours is read here.
			return exec.Command(filepath.Join(packages, "usr/sbin/ifquery"), "-i", root+ifupdownFile(name), "--state-dir", root, name)
		},
	}
	for name, text := range definitions {
		for m, tool := range tools {
			i := parse(t, text)
			root := t.TempDir()
			changes, err := Define(Tree{}, m, i)
			must(t, err)
			must(t, Write(root, changes))
			cmd := tool(root, i.Name)
			cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s, %s: %v: %s\n%s", m, name, err, out, Diff(changes))
			}
		}
	}
}
