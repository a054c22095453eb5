package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/examples"
	"kvmnet/internal/api"
)

func TestTopologyGivesTheMachineItsHardware(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"nothing special", "networks: {a: {mode: isolated}}", "uplink eth0 nics [] found map[]"},
		{"a declared bridge", "networks: {a: {mode: bridge, bridge: {name: br0}}}\nbridges: {br0: {ports: [eth1, eth2]}}",
			"uplink eth0 nics [eth1 eth2] found map[]"},
		{"a bridge that the administrator made", "networks: {a: {mode: bridge, bridge: {name: br0}}, b: {mode: bridge, bridge: {name: br0}}}",
			"uplink eth0 nics [lan1] found map[br0:lan1]"},
		{"the usual uplink is taken", "networks: {a: {mode: bridge, bridge: {name: br0}}}\nbridges: {br0: {ports: [eth0]}}",
			"uplink wan0 nics [eth0] found map[]"},
		{"a pinned network", "networks: {a: {mode: nat, uplink: enp3s0, subnets: [{address: 10.0.0.1/24}]}}",
			"uplink enp3s0 nics [] found map[]"},
		{"two uplinks", "networks: {a: {mode: nat, uplink: x0}, b: {mode: nat, uplink: x1}}",
			"read topology: networks are pinned to x0 and to x1; the demo machine has one uplink"},
		{"a bridge for an uplink", "networks: {a: {mode: nat, uplink: br0}}\nbridges: {br0: {ports: [eth1]}}",
			"read topology: network a is pinned to bridge br0; the uplink of the demo machine is a NIC"},
		{"uplink in a bridge", "networks: {a: {mode: nat, uplink: eth1}}\nbridges: {br0: {ports: [eth1]}}",
			"read topology: eth1 is the uplink and a port of a bridge"},
		{"no networks", "bridges: {br0: {ports: [eth1]}}", "read topology: f.yaml has no networks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			top, err := (&Options{File: &api.File{Name: "f.yaml", Text: c.text}}).topology()
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprintf("uplink %s nics %v found %v", top.uplink, top.nics, top.found)
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTopologyReadsFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(path, []byte("networks: {a: {mode: isolatd}}\nnetwork: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := (&Options{Topology: path}).topology()
	if err == nil || !strings.Contains(err.Error(), path+":2:") {
		t.Errorf("got %v, want the place of the problem", err)
	}
	if _, err := (&Options{Topology: path + "x"}).topology(); err == nil {
		t.Error("read a file that is not there")
	}
}

func TestEveryExampleCanBeBuilt(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(examples.Files, "*.yaml")
	if err != nil || len(names) != 12 {
		t.Fatalf("got %v, %v", names, err)
	}
	for _, name := range names {
		if _, err := parseTopology(name, examples.Text(name)); err != nil {
			t.Error(err)
		}
	}
}
