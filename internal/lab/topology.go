package lab

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"

	"kvmnet/examples"
	"kvmnet/internal/api"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// defaultTopology is the example that the demo shows.
const defaultTopology = "all-modes.yaml"

// topology is a file to bring up, and the hardware that its machine must have.
type topology struct {
	file   api.File
	spec   *spec.Spec
	uplink string            // the NIC by which the machine reaches the outside
	nics   []string          // NICs on the bridged LAN
	found  map[string]string // bridges the host's administrator has made, and the NIC in each

	segments []leg // of the LANs, that routers have addresses in
}

// topology reads the file to bring up, or the example. Only what the machine is
// built from is looked at: the daemon judges the file.
func (o *Options) topology() (*topology, error) {
	switch {
	case o.File != nil:
		return parseTopology(o.File.Name, o.File.Text)
	case o.Topology == "":
		return parseTopology(defaultTopology, examples.Text(defaultTopology))
	}
	text, err := os.ReadFile(o.Topology)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	return parseTopology(o.Topology, string(text))
}

func parseTopology(name, text string) (*topology, error) {
	f, problems := specfile.Parse(name, []byte(text))
	if len(problems) > 0 {
		return nil, fmt.Errorf("read topology: %s", problems[0])
	}
	if len(f.Spec.Networks) == 0 {
		return nil, fmt.Errorf("read topology: %s has no networks", name)
	}
	t := &topology{file: api.File{Name: name, Text: text}, spec: f.Spec, found: map[string]string{}}
	return t, t.hardware()
}

// hardware gives the machine the NICs and bridges that the file speaks of.
func (t *topology) hardware() error {
	for _, b := range slices.Sorted(maps.Keys(t.spec.Bridges)) {
		t.nics = append(t.nics, t.spec.Bridges[b].Ports...)
	}
	for _, name := range slices.Sorted(maps.Keys(t.spec.Networks)) {
		n := t.spec.Networks[name]
		switch {
		case n.Uplink != "" && t.uplink != "" && n.Uplink != t.uplink:
			return fmt.Errorf("read topology: networks are pinned to %s and to %s; the demo machine has one uplink", t.uplink, n.Uplink)
		case n.Uplink != "" && t.spec.Bridges[n.Uplink] != nil:
			return fmt.Errorf("read topology: network %s is pinned to bridge %s; the uplink of the demo machine is a NIC", name, n.Uplink)
		}
		t.uplink = cmp.Or(t.uplink, n.Uplink)
		if n.Mode == spec.Bridge {
			t.bridge(n.Bridge.Name)
		}
	}
	t.uplinks()
	if t.uplink == "" {
		t.uplink = freeNIC("eth0", t.nics)
	}
	if slices.Contains(t.nics, t.uplink) {
		return fmt.Errorf("read topology: %s is the uplink and a port of a bridge", t.uplink)
	}
	var err error
	t.segments, err = t.legs()
	return err
}

// bridge gives the machine a bridge that the file speaks of and does not make.
func (t *topology) bridge(name string) {
	if name != "" && t.spec.Bridges[name] == nil && t.found[name] == "" {
		t.found[name] = fmt.Sprintf("lan%d", len(t.found)+1)
		t.nics = append(t.nics, t.found[name])
	}
}

// uplinks gives the machine what its routers leave by.
func (t *topology) uplinks() {
	for _, name := range slices.Sorted(maps.Keys(t.spec.Routers)) {
		ways := t.spec.Routers[name].Ways()
		for _, way := range slices.Sorted(maps.Keys(ways)) {
			t.bridge(ways[way].Bridge)
			if nic := ways[way].NIC; nic != "" && nic != cmp.Or(t.uplink, "eth0") && !slices.Contains(t.nics, nic) {
				t.nics = append(t.nics, nic)
			}
		}
	}
}

// freeNIC returns a name for the uplink that no bridge takes.
func freeNIC(want string, taken []string) string {
	if slices.Contains(taken, want) {
		return "wan0"
	}
	return want
}
