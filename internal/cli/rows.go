package cli

import (
	"fmt"
	"slices"
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
		head: []string{"NETWORK", "GUEST", "MAC", "ADDRESSES", "STATE", "LINK"},
		wide: []string{"TYPE", "INTERFACE", "OWNER", "GUARD", "LIMITS", "RECEIVED", "SENT", "REFUSED", "PROBLEMS"},
		list: listed(api.Service.Ports, portObject), remove: deletePort}
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
			cells: []string{p.Spec.Network, p.Spec.Guest, p.Spec.MAC.String(), addressCell(p), p.Status.State, portLink(p)},
			wide: []string{portType(p.Spec), p.Spec.Interface, p.Spec.Owner, guardText(p, ","), limitCell(p.Spec.Bandwidth),
				tallyCell(p.Status.Received), tallyCell(p.Status.Sent), refusedCell(p.Status.Refused), strings.Join(p.Status.Problems, "; ")}}}}
}

// addressCell lists the fixed addresses of a guest, and those it has by DHCP.
func addressCell(p api.Port) string {
	all := slices.Clone(p.Spec.Addresses)
	for _, a := range p.Status.Leases {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return join(all, ",")
}

// limitCell tells the rates of a guest in one word.
func limitCell(b *spec.Bandwidth) string {
	if b == nil {
		return ""
	}
	rates := spec.Bandwidth{In: spec.Limit{Rate: b.In.Rate}, Out: spec.Limit{Rate: b.Out.Rate}}
	return strings.NewReplacer(", ", ",", " ", "=").Replace(bandwidthText(&rates))
}

func tallyCell(t *api.Tally) string {
	if t == nil {
		return ""
	}
	return strings.ReplaceAll(size(t.Bytes), " ", "")
}

// refusedCell adds up what guards refused.
func refusedCell(refused map[string]uint64) string {
	if refused == nil {
		return ""
	}
	var all uint64
	for _, n := range refused {
		all += n
	}
	return strconv.FormatUint(all, 10)
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
