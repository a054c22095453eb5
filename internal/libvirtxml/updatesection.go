package libvirtxml

import "slices"

// section is a part of the network that can be updated.
type section struct {
	element string
	update  func(*change) error // by libvirt's rules
	place   *place              // or else by ours
}

// libvirtSections are those of virsh, in its order; bridge, domain, ip, forward and
// forward-pf it has only to say that they cannot be updated.
var libvirtSections = []string{
	"bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward", "forward-interface", "forward-pf", "portgroup", "dns-host", "dns-txt", "dns-srv",
}

// ownSections are those that virsh does not have.
var ownSections = []string{
	"bandwidth", "dns", "dns-forwarder", "ip-dhcp-bootp", "ip-tftp", "mac", "mtu", "nat", "port", "route", "virtualport", "vlan",
}

// UpdateSections lists the sections, those of virsh first.
func UpdateSections() []string { return slices.Concat(libvirtSections, ownSections) }

var updatable = map[string]section{
	"ip-dhcp-host":      {element: "host", update: (*change).dhcpHost},
	"ip-dhcp-range":     {element: "range", update: (*change).dhcpRange},
	"forward-interface": {element: "interface", update: (*change).forwardInterface},
	"portgroup":         {element: "portgroup", update: (*change).portGroup},
	"dns-host":          {element: "host", update: (*change).dnsHost},
	"dns-txt":           {element: "txt", update: (*change).dnsTXT},
	"dns-srv":           {element: "srv", update: (*change).dnsSRV},

	"bridge":        {element: "bridge", place: &place{}},
	"domain":        {element: "domain", place: &place{}},
	"ip":            {element: "ip", place: &place{keys: []string{"address"}}},
	"forward":       {element: "forward", place: &place{}},
	"forward-pf":    {element: "pf", place: &place{inside: "forward"}},
	"bandwidth":     {element: "bandwidth", place: &place{}},
	"dns":           {element: "dns", place: &place{}},
	"dns-forwarder": {element: "forwarder", place: &place{inside: "dns", keys: []string{"domain"}, second: "addr"}},
	"ip-dhcp-bootp": {element: "bootp", place: &place{inside: "dhcp"}},
	"ip-tftp":       {element: "tftp", place: &place{inside: "ip"}},
	"mac":           {element: "mac", place: &place{}},
	"mtu":           {element: "mtu", place: &place{}},
	"nat":           {element: "nat", place: &place{inside: "forward"}},
	"port":          {element: "port", place: &place{}},
	"route":         {element: "route", place: &place{keys: []string{"address", "prefix"}, second: "metric"}},
	"virtualport":   {element: "virtualport", place: &place{}},
	"vlan":          {element: "vlan", place: &place{}},
}

// put adds an entry where the command says.
func put[T any](c command, list []T, entry T) []T {
	if c == addFirst {
		return slices.Insert(list, 0, entry)
	}
	return append(list, entry)
}

// filled returns what a pointer points at, which it makes where there is nothing.
func filled[T any](p **T) *T {
	if *p == nil {
		*p = new(T)
	}
	return *p
}
