package hostnet

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/hostlink"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// sight is what there is of interfaces at one time: in files and in the kernel.
type sight struct {
	tree    netfiles.Tree
	defined map[string]netfiles.Definition
	live    map[string]hostlink.Listed // ports are told of by what they are ports of
	ask     netfiles.Asker
}

// look reads the files of network managers and the kernel. A file that cannot be read
// is told in the log: the others count.
func (h *Host) look() (s sight, err error) {
	if s.tree, err = netfiles.Read(h.Root, h.OwnDir); err != nil {
		return s, fmt.Errorf("read the files of network managers: %w", err)
	}
	s.defined = map[string]netfiles.Definition{}
	list, errs := netfiles.AllDefined(s.tree)
	for _, err := range errs {
		h.Log.Warn("read the definitions of interfaces", "error", err)
	}
	for _, d := range list {
		s.defined[d.Interface.Name] = d
	}
	all, err := hostlink.List(h.NS)
	if err != nil {
		return s, fmt.Errorf("list the interfaces of the kernel: %w", err)
	}
	s.live = map[string]hostlink.Listed{}
	for _, l := range all {
		if !ofNetworks(l.Alias) {
			s.live[l.Name] = l
		}
	}
	s.ask = &oneAsking{h.asker(), map[string]bool{}}
	return s, nil
}

// ofNetworks reports whether a link is one that kvmnet made for networks: its mark says
// so. A host bridge carries a NIC, and is the host's.
func ofNetworks(alias string) bool {
	return strings.HasPrefix(alias, "kvmnet:") && !strings.HasPrefix(alias, "kvmnet:bridge/")
}

// oneAsking asks once for each program.
type oneAsking struct {
	netfiles.Asker
	said map[string]bool
}

// Running implements netfiles.Asker.
func (o *oneAsking) Running(program string) bool {
	runs, known := o.said[program]
	if !known {
		runs = o.Asker.Running(program)
		o.said[program] = runs
	}
	return runs
}

// names are those of all interfaces, in order.
func (s sight) names() []string {
	var names []string
	for name := range s.live {
		names = append(names, name)
	}
	for name := range s.defined {
		if _, there := s.live[name]; !there && !s.isPort(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// isPort reports whether an interface is a port of one that runs.
func (s sight) isPort(name string) bool {
	_, is := s.masterOf(name)
	return is
}

// masterOf finds what an interface is a port of, with the port as it runs.
func (s sight) masterOf(name string) (port spec.HostInterface, is bool) {
	for _, l := range s.live {
		if p, found := portOf(l.HostInterface, name); found {
			return p, true
		}
	}
	return spec.HostInterface{}, false
}

func portOf(i spec.HostInterface, name string) (spec.HostInterface, bool) {
	for _, p := range i.Ports() {
		if p.Name == name {
			return p, true
		}
		if inner, found := portOf(p, name); found {
			return inner, true
		}
	}
	return spec.HostInterface{}, false
}

// tell is an interface as the API has it.
func (s sight) tell(name string) api.HostInterface {
	i := api.HostInterface{Name: name}
	if l, there := s.live[name]; there {
		i.Active, i.MAC, i.Live = l.Up, l.MAC, &l.HostInterface
	} else if p, is := s.masterOf(name); is {
		i.Active, i.MAC, i.Live = true, p.MAC, &p
	}
	if d, there := s.defined[name]; there {
		i.Manager, i.Defined = string(d.Manager), &d.Interface
		if i.MAC.IsZero() {
			i.MAC = d.Interface.MAC
		}
	} else if m, err := netfiles.Detect(s.tree, name, s.ask); err == nil && m != netfiles.Own && i.Live != nil {
		i.Manager = string(m)
	}
	return i
}

// find finds an interface by its name or MAC. Ports are found by their names only: a
// bridge has the MAC of one of them.
func (s sight) find(word string) (api.HostInterface, error) {
	if _, there := s.live[word]; there {
		return s.tell(word), nil
	}
	if _, there := s.defined[word]; there || s.isPort(word) {
		return s.tell(word), nil
	}
	mac, err := spec.ParseMAC(word)
	if err != nil {
		return api.HostInterface{}, noInterface("there is no interface %s", word)
	}
	var found []api.HostInterface
	for _, name := range s.names() {
		if i := s.tell(name); i.MAC == mac {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return api.HostInterface{}, noInterface("no interface has the MAC %s", mac)
	case 1:
		return found[0], nil
	}
	return api.HostInterface{}, because(api.ReasonManyInterfaces, "%s have the MAC %s: use a name", namesOf(found), mac)
}

func namesOf(list []api.HostInterface) string {
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return strings.Join(names, " and ")
}

func noInterface(format string, args ...any) error {
	return &api.Error{Code: api.CodeNotFound, Reason: api.ReasonNoInterface, Message: fmt.Sprintf(format, args...)}
}

// because is a refusal with a reason.
func because(reason, format string, args ...any) error {
	return &api.Error{Code: api.CodeConflict, Reason: reason, Message: fmt.Sprintf(format, args...)}
}
