package libvirtxml

import (
	"slices"
	"strings"

	"kvmnet/internal/xmltree"
)

// rule is what libvirt knows of an element: its attributes, the elements inside, and
// those of them that may come more than once.
type rule struct {
	attributes, once, often []string
	holdsText, foreign      bool // foreign: what is inside is not libvirt's
}

// rules are by the name of the element, behind that of the element around it where a
// name has several meanings.
var rules = map[string]rule{
	"network": {
		attributes: words("connections ipv6 trustGuestRxFilters"),
		once:       words("name uuid title description metadata forward bridge mtu mac domain dns vlan bandwidth port virtualport"),
		often:      words("ip route portgroup"),
	},
	"name": {holdsText: true}, "uuid": {holdsText: true}, "title": {holdsText: true}, "description": {holdsText: true},
	"metadata": {foreign: true},

	"forward":           {attributes: words("mode dev managed"), once: words("driver nat pf"), often: words("interface address")},
	"driver":            {attributes: words("name model")},
	"nat":               {attributes: words("ipv6"), once: words("address port")},
	"nat/address":       {attributes: words("start end")},
	"nat/port":          {attributes: words("start end")},
	"pf":                {attributes: words("dev connections")},
	"forward/interface": {attributes: words("dev connections")},
	"forward/address":   {attributes: words("type domain bus slot function multifunction")},

	"bridge":       {attributes: words("name zone stp delay macTableManager")},
	"mtu":          {attributes: words("size")},
	"mac":          {attributes: words("address")},
	"domain":       {attributes: words("name localOnly register")},
	"network/port": {attributes: words("isolated")},

	"dns":       {attributes: words("enable forwardPlainNames"), often: words("forwarder txt srv host")},
	"forwarder": {attributes: words("domain addr port")},
	"txt":       {attributes: words("name value")},
	"srv":       {attributes: words("service protocol domain target port priority weight")},
	"dns/host":  {attributes: words("ip"), often: words("hostname")},
	"hostname":  {holdsText: true},

	"vlan":        {attributes: words("trunk"), often: words("tag")},
	"tag":         {attributes: words("id nativeMode")},
	"bandwidth":   {once: words("inbound outbound")},
	"inbound":     {attributes: words("average peak burst floor")},
	"outbound":    {attributes: words("average peak burst")},
	"virtualport": {attributes: words("type"), once: words("parameters")},
	"parameters":  {attributes: words("managerid typeid typeidversion instanceid interfaceid profileid")},
	"portgroup":   {attributes: words("name default trustGuestRxFilters"), once: words("vlan bandwidth virtualport")},

	"ip":        {attributes: words("family address netmask prefix localPtr"), once: words("dhcp tftp")},
	"tftp":      {attributes: words("root")},
	"dhcp":      {once: words("bootp"), often: words("range host")},
	"range":     {attributes: words("start end"), once: words("lease")},
	"dhcp/host": {attributes: words("mac id name ip"), once: words("lease")},
	"lease":     {attributes: words("expiry unit")},
	"bootp":     {attributes: words("file server")},
	"route":     {attributes: words("family address netmask prefix gateway metric")},
}

func words(s string) []string { return strings.Fields(s) }

// ruleOf is the rule of an element, in the element it is in.
func ruleOf(n *xmltree.Node) rule {
	if n.Parent != nil {
		if r, has := rules[n.Parent.Name+"/"+n.Name]; has {
			return r
		}
	}
	return rules[n.Name]
}

// inside are the names of the elements that may be inside.
func (r rule) inside() []string { return append(slices.Clip(r.once), r.often...) }

// homes are the elements that an element may be in, in the order of their names.
func homes(name string) []string {
	var found []string
	for key, r := range rules {
		if slices.Contains(r.inside(), name) {
			found = append(found, key[strings.LastIndexByte(key, '/')+1:])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
