package cli

import (
	"fmt"
	"strconv"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// The kinds that are there without routers.
var (
	networks = kind{name: "networks", short: "net",
		head: []string{"STATE", "AUTOSTART", "PERSISTENT", "MODE", "BRIDGE", "SUBNETS"},
		wide: []string{"PORTS", "UPLINK", "UUID", "TITLE", "PROBLEMS"},
		list: listed(api.Service.Networks, networkObject), remove: deleteNetwork}
	bridges = kind{name: "bridges",
		head: []string{"STATE", "PORTS", "ADDRESSES", "GATEWAY"},
		wide: []string{"MAC", "MTU", "STP", "PROBLEMS"},
		list: listed(api.Service.Bridges, bridgeObject)}
	ports = kind{name: "ports",
		head: []string{"STATE", "NETWORK", "TYPE", "INTERFACE", "MAC", "ADDRESSES"},
		wide: []string{"BRIDGE", "MTU", "GATEWAYS", "OWNER", "PROBLEMS"},
		list: listed(api.Service.Ports, portObject)}
)

func networkObject(n api.Network) object {
	return object{name: n.Name, spec: n.Spec, status: n.Status, about: string(n.Spec.Mode) + ", " + n.Status.State,
		rows: []row{{
			cells: []string{n.Status.State, yesNo(n.Status.Autostart), yesNo(n.Status.Persistent), string(n.Spec.Mode), n.Status.Bridge, subnets(n.Spec)},
			wide:  []string{strconv.Itoa(len(n.Status.Ports)), n.Spec.Uplink, n.Spec.UUID, n.Spec.Title, strings.Join(n.Status.Problems, "; ")}}}}
}

func subnets(n *spec.Network) string {
	var list []string
	for _, s := range n.Subnets {
		list = append(list, s.Address.String())
	}
	return strings.Join(list, ",")
}

func bridgeObject(b api.HostBridge) object {
	return object{name: b.Name, spec: b.Spec, status: b.Status, about: b.Status.State, rows: []row{{
		cells: []string{b.Status.State, strings.Join(b.Spec.Ports, ","), join(b.Spec.Addresses, ","), join(b.Spec.Gateway, ",")},
		wide:  []string{b.Spec.MAC.String(), number(b.Spec.MTU), yesNo(b.Spec.STP), strings.Join(b.Status.Problems, "; ")}}}}
}

// adopted is the state of an interface somebody else plugged in.
const adopted = "adopted"

func portObject(p api.Port) object {
	return object{name: p.Name, spec: p.Spec, status: p.Status, about: p.Spec.Network + ", " + p.Status.State, adopted: p.Status.State == adopted,
		rows: []row{{
			cells: []string{p.Status.State, p.Spec.Network, portType(p.Spec), p.Spec.Interface, p.Spec.MAC.String(), join(p.Spec.Addresses, ",")},
			wide:  []string{p.Status.Bridge, number(p.Status.MTU), strings.Join(p.Status.Gateways, ","), p.Spec.Owner, strings.Join(p.Status.Problems, "; ")}}}}
}

func portType(p *spec.Port) string {
	if p.Type == "" {
		return string(spec.Tap)
	}
	return string(p.Type)
}

// number prints a number whose zero means that it is not known or not set.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
