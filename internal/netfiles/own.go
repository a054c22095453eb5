package netfiles

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// OwnDir has kvmnet's own definitions, for hosts where no other manager has the
// interface, unless Read is told another folder.
const OwnDir = "/etc/kvmnet/interfaces"

func (t Tree) ownDir() string { return cmp.Or(t.Own, OwnDir) }

func (t Tree) ownPath(name string) string { return t.ownDir() + "/" + name + ".yaml" }

// ownBridge writes the bridge with what the NIC has now.
func ownBridge(t Tree, c Conversion) ([]Change, error) {
	if t.Has(t.ownPath(c.Bridge)) {
		return nil, &Refusal{fmt.Sprintf("make bridge %s: %s defines it: choose another name with --name", c.Bridge, t.ownPath(c.Bridge))}
	}
	e := newEdit(t)
	nic := c.Live
	if now, err := ownDefined(t, c.NIC); err != nil {
		return nil, err
	} else if now != nil {
		nic = *now
		e.remove(e.tree.ownPath(c.NIC))
	}
	port := spec.HostInterface{Name: c.NIC, Type: spec.EthernetInterface, MTU: c.mtu()}
	if nic.Type != "" && nic.Type != spec.BridgeInterface {
		port.Type, port.Bond, port.VLAN = nic.Type, nic.Bond, nic.VLAN
	}
	bridge := spec.HostInterface{Name: c.Bridge, Type: spec.BridgeInterface, Start: nic.Start, MAC: c.MAC, MTU: c.mtu(), IPv4: nic.IPv4, IPv6: nic.IPv6,
		Bridge: &spec.BridgeDetails{STP: c.STP, Delay: c.Delay, Ports: []spec.HostInterface{port}}}
	e.set(e.tree.ownPath(c.Bridge), header(unconvert(c.Bridge))+string(specfile.FormatInterface(&bridge)), 0o644)
	return e.changes(), nil
}

func ownDefine(e *edit, i spec.HostInterface) error {
	e.set(e.tree.ownPath(i.Name), header(undefine(i.Name))+string(specfile.FormatInterface(&i)), 0o644)
	return nil
}

func ownUndefine(e *edit, name string) error {
	if e.tree.Has(e.tree.ownPath(name)) {
		e.remove(e.tree.ownPath(name))
	}
	return nil
}

// ownDefined reads a definition; each problem of the file has its place.
func ownDefined(t Tree, name string) (*spec.HostInterface, error) {
	f := t.Files[t.ownPath(name)]
	if f == nil {
		return nil, nil
	}
	file, _ := specfile.ParseInterface(t.ownPath(name), f.Text)
	i := file.Interface
	var errs []error
	for _, p := range file.Validate() {
		errs = append(errs, errors.New(p.String()))
	}
	if len(errs) == 0 && i.Name != name {
		errs = append(errs, fmt.Errorf("%s: it defines %q: name the file %s.yaml, or the interface %s", t.ownPath(name), i.Name, i.Name, name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &i, nil
}

func ownNames(t Tree) []string {
	var names []string
	for _, p := range t.in(t.ownDir(), ".yaml") {
		names = append(names, strings.TrimSuffix(p[len(t.ownDir())+1:], ".yaml"))
	}
	return names
}
