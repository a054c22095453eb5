package cli

import (
	"fmt"
	"strconv"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// document is a listing in the shape of the YAML files people write, with a
// status at every object. Without the status it can be applied.
type document struct {
	Networks map[string]network `json:"networks,omitzero"`
	Bridges  map[string]bridge  `json:"bridges,omitzero"`
	Ports    map[string]port    `json:"ports,omitzero"`
}

// network, bridge and port are single objects; Name is set when they stand
// alone and not under their name.
type (
	network struct {
		Name string `json:"name,omitempty"`
		*spec.Network
		Status *api.NetworkStatus `json:"status,omitempty"`
	}
	bridge struct {
		*spec.HostBridge
		Status *api.BridgeStatus `json:"status,omitempty"`
	}
	port struct {
		Name string `json:"name,omitempty"`
		*spec.Port
		Status *api.PortStatus `json:"status,omitempty"`
	}
)

func oneNetwork(n api.Network) network { return network{n.Name, n.Spec, &n.Status} }

func onePort(p api.Port) port { return port{p.Name, p.Spec, &p.Status} }

func networkDocument(list []api.Network) map[string]network {
	m := map[string]network{}
	for _, n := range list {
		m[n.Name] = network{"", n.Spec, &n.Status}
	}
	return m
}

func bridgeDocument(list []api.HostBridge) map[string]bridge {
	m := map[string]bridge{}
	for _, b := range list {
		m[b.Name] = bridge{b.Spec, &b.Status}
	}
	return m
}

func portDocument(list []api.Port) map[string]port {
	m := map[string]port{}
	for _, p := range list {
		m[p.Name] = port{"", p.Spec, &p.Status}
	}
	return m
}

// definitions takes away what is observed, so that the rest can be applied:
// status, and the interfaces that are on a bridge without being ours.
func (d document) definitions() document {
	for name, n := range d.Networks {
		n.Status = nil
		d.Networks[name] = n
	}
	for name, b := range d.Bridges {
		b.Status = nil
		d.Bridges[name] = b
	}
	for name, p := range d.Ports {
		if p.Status.State == adopted {
			delete(d.Ports, name)
			continue
		}
		p.Status = nil
		d.Ports[name] = p
	}
	return d
}

// adopted is the state of an interface somebody else plugged in.
const adopted = "adopted"

func networkTable(list []api.Network, wide bool) *table {
	t := &table{head: []string{"NAME", "STATE", "AUTOSTART", "PERSISTENT", "MODE", "BRIDGE", "SUBNETS"}}
	if wide {
		t.head = append(t.head, "PORTS", "UPLINK", "UUID", "TITLE", "PROBLEMS")
	}
	for _, n := range list {
		row := []string{n.Name, n.Status.State, yesNo(n.Status.Autostart), yesNo(n.Status.Persistent), string(n.Spec.Mode),
			n.Status.Bridge, subnets(n.Spec)}
		if wide {
			row = append(row, strconv.Itoa(len(n.Status.Ports)), n.Spec.Uplink, n.Spec.UUID, n.Spec.Title, strings.Join(n.Status.Problems, "; "))
		}
		t.add(row...)
	}
	return t
}

func subnets(n *spec.Network) string {
	var list []string
	for _, s := range n.Subnets {
		list = append(list, s.Address.String())
	}
	return strings.Join(list, ",")
}

func portTable(list []api.Port, wide bool) *table {
	t := &table{head: []string{"NAME", "STATE", "NETWORK", "TYPE", "INTERFACE", "MAC", "ADDRESSES"}}
	if wide {
		t.head = append(t.head, "BRIDGE", "MTU", "GATEWAYS", "OWNER", "PROBLEMS")
	}
	for _, p := range list {
		row := []string{p.Name, p.Status.State, p.Spec.Network, portType(p.Spec), p.Spec.Interface, p.Spec.MAC.String(), join(p.Spec.Addresses, ",")}
		if wide {
			row = append(row, p.Status.Bridge, number(p.Status.MTU), strings.Join(p.Status.Gateways, ","), p.Spec.Owner, strings.Join(p.Status.Problems, "; "))
		}
		t.add(row...)
	}
	return t
}

func portType(p *spec.Port) string {
	if p.Type == "" {
		return string(spec.Tap)
	}
	return string(p.Type)
}

func bridgeTable(list []api.HostBridge, wide bool) *table {
	t := &table{head: []string{"NAME", "STATE", "PORTS", "ADDRESSES", "GATEWAY"}}
	if wide {
		t.head = append(t.head, "MAC", "MTU", "STP", "PROBLEMS")
	}
	for _, b := range list {
		row := []string{b.Name, b.Status.State, strings.Join(b.Spec.Ports, ","), join(b.Spec.Addresses, ","), join(b.Spec.Gateway, ",")}
		if wide {
			row = append(row, b.Spec.MAC.String(), number(b.Spec.MTU), yesNo(b.Spec.STP), strings.Join(b.Status.Problems, "; "))
		}
		t.add(row...)
	}
	return t
}

// number prints a number whose zero means that it is not known or not set.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
