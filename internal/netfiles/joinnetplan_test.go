package netfiles

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNetplanAcceptsEveryJoin has netplan's generator read what is written of each scene:
// it makes the NIC a port of a bridge that has its MAC.
func TestNetplanAcceptsEveryJoin(t *testing.T) {
	t.Parallel()
	packages, err := find()
	if err != nil {
		t.Skip(err)
	}
	libraries, _ := filepath.Glob(filepath.Join(packages, "usr/lib/*-linux-gnu"))
	for _, s := range scenes(t, "testdata/join/netplan-*.txtar") {
		if strings.Contains(s.path, "refused") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			root := s.root(t)
			changes, err := Join(s.tree(t, root), Netplan, s.conversion())
			must(t, err)
			must(t, Write(root, changes))
			cmd := exec.Command(filepath.Join(packages, "usr/libexec/netplan/generate"), "--root-dir", root)
			cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s\n%s", err, out, Diff(changes))
			}
			tree := s.tree(t, root)
			bridge := Networkd
			if s.say["renderer"] != "" {
				bridge = NetworkManager
				for _, p := range tree.in("/run/NetworkManager/system-connections") {
					tree.Files[nmOwn+"/"+filepath.Base(p)] = tree.Files[p]
				}
			}
			i, err := Defined(tree, bridge, "br0")
			must(t, err)
			if i == nil || i.MAC != s.mac() || !strings.Contains(strings.Join(portNames(*i), " ")+" ", s.say["nic"]+" ") {
				t.Errorf("br0 is %+v\n%s", i, Diff(changes))
			}
		})
	}
}
