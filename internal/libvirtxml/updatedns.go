package libvirtxml

import "slices"

// addOrDelete refuses to modify a record, which libvirt does before it looks at the
// element.
func (c *change) addOrDelete(what string) error {
	if c.command == modify {
		return c.refused("%s records cannot be modified, only added or deleted", what)
	}
	return c.expect()
}

// dnsHost updates the names of addresses. An address is added once; a deletion is
// by address or by any of the names, and has to be clear.
func (c *change) dnsHost() error {
	if err := c.addOrDelete("DNS HOST"); err != nil {
		return err
	}
	h, err := c.decoder().dnsHost(c.node)
	if err != nil {
		return err
	}
	dns := filled(&c.DNS)
	found := indices(dns.Hosts, func(old DNSHost) bool {
		return h.IP != "" && sameAddress(h.IP, old.IP) || c.command == remove && slices.ContainsFunc(h.Names, func(name string) bool { return slices.Contains(old.Names, name) })
	})
	dns.Hosts, err = changeRecords(c, dns.Hosts, h, found, recordWords{
		there: "there is already at least one DNS HOST record with a matching field in network " + c.Name,
		none:  "couldn't locate a matching DNS HOST record in network " + c.Name,
		many:  "multiple matching DNS HOST records were found in network " + c.Name,
	})
	return err
}

// dnsTXT updates text records, which are told apart by name.
func (c *change) dnsTXT() error {
	if err := c.addOrDelete("DNS TXT"); err != nil {
		return err
	}
	r, err := c.decoder().txt(c.node)
	if err != nil {
		return err
	}
	dns := filled(&c.DNS)
	found := indices(dns.TXT, func(old TXT) bool { return r.Name == old.Name })
	if len(found) > 1 {
		found = found[:1] // two of a name come from a definition: the first is meant
	}
	dns.TXT, err = changeRecords(c, dns.TXT, r, found, recordWords{
		there: "there is already a DNS TXT record with name '" + r.Name + "' in network " + c.Name,
		none:  "couldn't locate a matching DNS TXT record in network " + c.Name,
	})
	return err
}

// dnsSRV updates service records: one is another's match when it has all of what the
// other says of service, protocol, domain and target.
func (c *change) dnsSRV() error {
	if err := c.addOrDelete("DNS SRV"); err != nil {
		return err
	}
	r, err := c.decoder().srv(c.node)
	if err != nil {
		return err
	}
	dns := filled(&c.DNS)
	found := indices(dns.SRV, r.fits)
	dns.SRV, err = changeRecords(c, dns.SRV, r, found, recordWords{
		there: "there is already at least one DNS SRV record matching all specified fields in network " + c.Name,
		none:  "couldn't locate a matching DNS SRV record in network " + c.Name,
		many:  "multiple DNS SRV records matching all specified fields were found in network " + c.Name,
	})
	return err
}

func (r SRV) fits(old SRV) bool {
	return (r.Domain == "" || r.Domain == old.Domain) && (r.Service == "" || r.Service == old.Service) &&
		(r.Protocol == "" || r.Protocol == old.Protocol) && (r.Target == "" || r.Target == old.Target)
}

// recordWords are what is said when a record is there already, is not, or is not
// the only one.
type recordWords struct{ there, none, many string }

// changeRecords adds a record that is not there, or deletes the only one that matches.
func changeRecords[T any](c *change, list []T, r T, found []int, words recordWords) ([]T, error) {
	switch {
	case c.command.adds() && len(found) > 0:
		return list, c.invalid("%s", words.there)
	case c.command.adds():
		return put(c.command, list, r), nil
	case len(found) == 0:
		return list, c.invalid("%s", words.none)
	case len(found) > 1:
		return list, c.invalid("%s", words.many)
	}
	return slices.Delete(list, found[0], found[0]+1), nil
}

// indices returns where in a list the entries are that are wanted.
func indices[T any](list []T, wanted func(T) bool) []int {
	var found []int
	for i, entry := range list {
		if wanted(entry) {
			found = append(found, i)
		}
	}
	return found
}
