package netfiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// backend is what a manager's files can do.
type backend struct {
	bridge   func(Tree, Conversion) ([]Change, error)
	join     func(Tree, Conversion) ([]Change, error)
	define   func(*edit, spec.HostInterface) error
	undefine func(*edit, string) error
	defined  func(Tree, string) (*spec.HostInterface, error)
	names    func(Tree) []string // may name one twice
}

// backends are what is known of each manager.
var backends = map[Manager]backend{
	Networkd:       {networkdBridge, networkdJoin, networkdDefine, networkdUndefine, sure(networkdDefined), networkdNames},
	NetworkManager: {nmBridge, nmJoin, nmDefine, nmUndefine, sure(nmDefined), nmNames},
	Netplan:        {netplanBridge, netplanJoin, netplanDefine, netplanUndefine, netplanDefined, netplanNames},
	Ifupdown:       {ifupdownBridge, ifupdownJoin, ifupdownDefine, ifupdownUndefine, sure(ifupdownDefined), ifupdownNames},
	Ifcfg:          {ifcfgBridge, ifcfgJoin, ifcfgDefine, ifcfgUndefine, sure(ifcfgDefined), ifcfgNames},
	Own:            {ownBridge, ownJoin, ownDefine, ownUndefine, ownDefined, ownNames},
}

// sure is for files that always can be read.
func sure(f func(Tree, string) *spec.HostInterface) func(Tree, string) (*spec.HostInterface, error) {
	return func(t Tree, name string) (*spec.HostInterface, error) { return f(t, name), nil }
}

func backendOf(m Manager) (backend, error) {
	b, ok := backends[m]
	if !ok {
		return b, fmt.Errorf("no files of %q are known: use one of %s, %s, %s, %s, %s and %s", m, Networkd, NetworkManager, Netplan, Ifupdown, Ifcfg, Own)
	}
	return b, nil
}

// Bridge works out the files with which a bridge takes the place of a NIC after a boot,
// with all that the user's files say of the NIC.
func Bridge(t Tree, m Manager, c Conversion) ([]Change, error) {
	b, err := backendOf(m)
	if err != nil {
		return nil, err
	}
	if !c.STP {
		c.Delay = 0
	}
	return b.bridge(t, c)
}

// Define works out the files that say what an interface is. What they say of it now is
// replaced.
func Define(t Tree, m Manager, i spec.HostInterface) ([]Change, error) {
	b, err := backendOf(m)
	if err != nil {
		return nil, err
	}
	e := newEdit(t)
	if now, err := b.defined(t, i.Name); err != nil {
		return nil, err
	} else if now != nil {
		if err := b.undefine(e, i.Name); err != nil {
			return nil, err
		}
	}
	if err := b.define(e, i); err != nil {
		return nil, err
	}
	return e.changes(), nil
}

// Undefine works out the files in which nothing is said of an interface any more.
func Undefine(t Tree, m Manager, name string) ([]Change, error) {
	b, err := backendOf(m)
	if err != nil {
		return nil, err
	}
	e := newEdit(t)
	if err := b.undefine(e, name); err != nil {
		return nil, err
	}
	return e.changes(), nil
}

// Defined reads what the files of a manager say of an interface, nil when they say
// nothing. What spec has no word for is left out.
func Defined(t Tree, m Manager, name string) (*spec.HostInterface, error) {
	b, err := backendOf(m)
	if err != nil {
		return nil, err
	}
	return b.defined(t, name)
}

// Definition is what the files of a manager say of an interface.
type Definition struct {
	Manager   Manager
	Interface spec.HostInterface
}

// AllDefined reads all definitions, by name. Of an interface that several managers tell
// of the first one's count: netplan's, then those of the managers in the order that
// Detect looks for them. Files that cannot be read are told, and the others still count.
func AllDefined(t Tree) ([]Definition, []error) {
	found := map[string]Definition{}
	var errs []error
	for _, m := range order {
		names := backends[m].names(t)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			i, err := backends[m].defined(t, name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			if _, ok := found[name]; !ok && i != nil {
				found[name] = Definition{m, *i}
			}
		}
	}
	var list []Definition
	for _, d := range found {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Definition) int { return strings.Compare(a.Interface.Name, b.Interface.Name) })
	return list, errs
}

// order is how strong the word of a manager's files is.
var order = []Manager{Netplan, Own, Ifcfg, Ifupdown, NetworkManager, Networkd}

// address is the address that a text is, the zero one when it is none.
func address(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}
