package hostnet

import (
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// startCommands are those that have the manager of an interface start it as its files
// say; none when nothing runs that could.
func (s sight) startCommands(m netfiles.Manager, i spec.HostInterface) []string {
	_, there := s.tree.Links[i.Name]
	switch s.worker(m) {
	case netfiles.Networkd:
		list := []string{"networkctl reload"}
		for _, name := range i.Names() {
			if _, there := s.tree.Links[name]; there {
				list = append(list, "networkctl reconfigure "+name)
			}
		}
		return append(s.generate(m), append(list, "networkctl up "+i.Name)...)
	case netfiles.NetworkManager:
		list := append(s.generate(m), "nmcli connection reload")
		if there {
			return append(list, "nmcli device connect "+i.Name)
		}
		return append(list, "nmcli connection up "+i.Name)
	case netfiles.Ifupdown:
		return []string{"ifup " + i.Name}
	}
	return nil
}

// stopCommands are those that have the manager stop an interface, so that it does not
// start it again. Networkd keeps a bridge that is down: one that went it would not put
// its ports into again.
func (s sight) stopCommands(m netfiles.Manager, name string) []string {
	switch s.worker(m) {
	case netfiles.Networkd:
		return []string{"networkctl down " + name}
	case netfiles.NetworkManager:
		return []string{"nmcli device disconnect " + name}
	case netfiles.Ifupdown:
		return []string{"ifdown " + name}
	}
	return nil
}

// worker is who does what the files of a manager say: netplan writes for others, and
// NetworkManager reads the files of the network scripts where those are not installed.
// It is "" when it does not run.
func (s sight) worker(m netfiles.Manager) netfiles.Manager {
	switch m {
	case netfiles.Networkd:
		return s.running(netfiles.Networkd)
	case netfiles.NetworkManager:
		return s.running(netfiles.NetworkManager)
	case netfiles.Netplan:
		if w := s.running(netfiles.Networkd); w != "" {
			return w
		}
		return s.running(netfiles.NetworkManager)
	case netfiles.Ifcfg:
		if s.tree.Has("/etc/init.d/network") {
			return netfiles.Ifupdown // its ifup
		}
		return s.running(netfiles.NetworkManager)
	case netfiles.Ifupdown:
		if s.tree.Has("/sbin/ifup", "/usr/sbin/ifup", "/usr/share/ifupdown2") {
			return netfiles.Ifupdown
		}
	}
	return ""
}

// running is a manager that is a daemon, "" when it does not run.
func (s sight) running(m netfiles.Manager) netfiles.Manager {
	if s.ask.Running(string(m)) {
		return m
	}
	return ""
}

// generate has netplan write for the others.
func (s sight) generate(m netfiles.Manager) []string {
	if m != netfiles.Netplan {
		return nil
	}
	return []string{"netplan generate"}
}
