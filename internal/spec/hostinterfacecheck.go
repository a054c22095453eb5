package spec

import "slices"

// Words of host interfaces. The first mode of a bond is the kernel's own.
var (
	InterfaceTypes = []InterfaceType{EthernetInterface, BridgeInterface, BondInterface, VLANInterface}
	StartModes     = []StartMode{StartOnBoot, StartHotplug, StartNone}
	BondModes      = []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
	BondCarriers   = []string{"netif", "ioctl"}
	BondValidation = []string{"none", "active", "backup", "all"}
)

// Validate returns every broken rule, ordered by path, nil when there is none. It takes
// an interface with and without its defaults.
func (i HostInterface) Validate() []Problem {
	c := &checker{}
	i = i.Clone()
	i.Default()
	c.hostInterface("", &i)
	return c.sorted()
}

// hostInterface checks one that stands by itself.
func (c *checker) hostInterface(path string, i *HostInterface) {
	c.device(path, i)
	if !slices.Contains(StartModes, i.Start) {
		c.add(Field(path, "start"), oneOf(string(i.Start), "words", texts(StartModes)), "%q does not tell when it comes up", string(i.Start))
	}
	c.interfaceIP(Field(path, "ipv4"), i.IPv4, true)
	c.interfaceIP(Field(path, "ipv6"), i.IPv6, false)
}

// device checks what ports have, too.
func (c *checker) device(path string, i *HostInterface) {
	c.addError(Field(path, "name"), "", CheckInterfaceName(i.Name))
	if i.MAC.IsMulticast() {
		c.add(Field(path, "mac"), "clear the lowest bit of the first byte", "%s is a multicast address, an interface needs a unicast one", i.MAC)
	}
	switch {
	case i.MTU != 0 && (i.MTU < 68 || i.MTU > 65535):
		c.add(Field(path, "mtu"), "", "the MTU %d is outside 68 to 65535", i.MTU)
	case i.MTU != 0 && i.MTU < 1280 && i.IPv6 != nil:
		c.add(Field(path, "mtu"), "IPv6 needs links of 1280 bytes (RFC 8200 section 5)", "the MTU %d is too small for IPv6", i.MTU)
	}
	if !slices.Contains(InterfaceTypes, i.Type) {
		c.add(Field(path, "type"), oneOf(string(i.Type), "types", texts(InterfaceTypes)), "%q is no type of an interface", string(i.Type))
		return
	}
	c.details(path, i)
}

// details checks that an interface has what its type needs, and nothing of others.
func (c *checker) details(path string, i *HostInterface) {
	for _, d := range []struct {
		key   string
		of    InterfaceType
		has   bool
		needs bool
		check func()
	}{
		{"bridge", BridgeInterface, i.Bridge != nil, false, func() { c.bridgeDetails(Field(path, "bridge"), i) }},
		{"bond", BondInterface, i.Bond != nil, true, func() { c.bondDetails(Field(path, "bond"), i) }},
		{"vlan", VLANInterface, i.VLAN != nil, true, func() { c.vlanDetails(Field(path, "vlan"), i) }},
	} {
		switch {
		case d.has && i.Type != d.of:
			c.add(Field(path, d.key), "write type: "+string(d.of)+", or remove it", "an interface of type %s has no %s", i.Type, d.key)
		case !d.has && d.needs && i.Type == d.of:
			c.add(Field(path, d.key), "", "an interface of type %s needs it", i.Type)
		case d.has:
			d.check()
		}
	}
}

// maxDelay is the kernel's BR_MAX_FORWARD_DELAY.
const maxDelay = 30

func (c *checker) bridgeDetails(path string, i *HostInterface) {
	if i.Bridge.Delay < 0 || i.Bridge.Delay > maxDelay {
		c.add(Field(path, "delay"), "", "the forward delay %s is outside 0s to %ds", i.Bridge.Delay, maxDelay)
	}
	c.portsOf(path, i, i.Bridge.Ports, []InterfaceType{EthernetInterface, BondInterface, VLANInterface})
}

// portsOf checks the ports of a bridge or a bond. The addresses are its own.
func (c *checker) portsOf(path string, i *HostInterface, ports []HostInterface, types []InterfaceType) {
	path = Field(path, "ports")
	if !c.few(path, len(ports), maxBridgePorts) {
		return
	}
	seen := map[string]bool{i.Name: true}
	for k := range ports {
		p, at := &ports[k], Index(path, k)
		switch {
		case p.Name == i.Name && p.Name != "":
			c.add(Field(at, "name"), "", "%s cannot be a port of itself", i.Name)
		case seen[p.Name]:
			c.add(Field(at, "name"), "remove it", "%q is listed twice", p.Name)
		}
		seen[p.Name] = true
		if slices.Contains(InterfaceTypes, p.Type) && !slices.Contains(types, p.Type) {
			c.add(Field(at, "type"), "the types are "+orList(texts(types)), "a port of a %s cannot be of type %s", i.Type, p.Type)
			continue
		}
		c.device(at, p)
		c.portOnly(at, p)
	}
}

// portOnly refuses what a port does not have.
func (c *checker) portOnly(path string, p *HostInterface) {
	const hint = "remove it, or write it at the interface that has the port"
	for key, has := range map[string]bool{"start": p.Start != "", "ipv4": p.IPv4 != nil, "ipv6": p.IPv6 != nil} {
		if has {
			c.add(Field(path, key), hint, "a port has none of its own")
		}
	}
}

func (c *checker) bondDetails(path string, i *HostInterface) {
	b := i.Bond
	if !slices.Contains(BondModes, b.Mode) {
		c.add(Field(path, "mode"), oneOf(b.Mode, "modes", BondModes), "%q is no mode of a bond", b.Mode)
	}
	if len(b.Ports) == 0 {
		c.add(Field(path, "ports"), "name the interfaces that it joins", "a bond needs a port")
	}
	c.portsOf(path, i, b.Ports, []InterfaceType{EthernetInterface})
	c.monitors(path, b)
}

// monitors checks how a bond watches its ports: in one way, and asking for addresses
// only in the modes in which the kernel does.
func (c *checker) monitors(path string, b *BondDetails) {
	if b.MII != nil && b.ARP != nil {
		c.add(Field(path, "arp"), "remove one of them", "a bond watches its ports by mii or by arp, not by both")
	}
	if m := b.MII; m != nil {
		c.milliseconds(Field(path, "mii"), map[string]int{"every": m.Every, "upDelay": m.UpDelay, "downDelay": m.DownDelay})
		c.wordOf(Field(Field(path, "mii"), "carrier"), m.Carrier, BondCarriers)
	}
	if a := b.ARP; a != nil {
		at := Field(path, "arp")
		c.milliseconds(at, map[string]int{"every": a.Every})
		c.wordOf(Field(at, "validate"), a.Validate, BondValidation)
		if !c.addError(Field(at, "target"), "", checkUnicast(a.Target)) && !a.Target.Is4() {
			c.add(Field(at, "target"), "", "%s is IPv6, and ARP asks for IPv4 addresses", a.Target)
		}
		if slices.Contains(BondModes[4:], b.Mode) {
			c.add(at, "write mii: {every: 100}", "a bond of mode %s cannot watch its ports by arp", b.Mode)
		}
	}
}

func (c *checker) milliseconds(path string, values map[string]int) {
	for key, n := range values {
		if n < 0 || n > 1<<31-1 {
			c.add(Field(path, key), "", "%d is no number of milliseconds", n)
		}
	}
}

// wordOf checks a word that may be left out.
func (c *checker) wordOf(path, word string, words []string) {
	if word != "" && !slices.Contains(words, word) {
		c.add(path, oneOf(word, "words", words), "%q is not known", word)
	}
}

func (c *checker) vlanDetails(path string, i *HostInterface) {
	v := i.VLAN
	if v.Tag < 1 || v.Tag > 4094 {
		c.add(Field(path, "tag"), "", "the VLAN %d is outside 1 to 4094", v.Tag)
	}
	if !c.addError(Field(path, "on"), "", CheckInterfaceName(v.On)) && v.On == i.Name {
		c.add(Field(path, "on"), "", "a VLAN cannot be on itself")
	}
}
