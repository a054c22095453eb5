package libvirtxml

import (
	"net/netip"
	"strings"

	"kvmnet/internal/spec"
)

// hosts reads the reservations. The key is the guest's name; where libvirt has no
// name for it, the address.
func (t *translation) hosts(path, place string, hosts []Host, subnet netip.Prefix, d *spec.DHCP) {
	for i, h := range hosts {
		here := at(place+"/host", i)
		ip, err := netip.ParseAddr(h.IP)
		if err != nil {
			t.leftOut(here, "its address cannot be read")
			continue
		}
		r := spec.Reservation{IP: ip, LeaseTime: leaseOf(h.Lease)}
		if subnet.Addr().Is4() {
			r.MAC, _ = parseMAC(h.MAC)
		} else {
			r.DUID = h.ID
		}
		key := t.key(here, h.Name, r, d.Hosts)
		if key == "" {
			continue
		}
		if d.Hosts == nil {
			d.Hosts = map[string]spec.Reservation{}
		}
		d.Hosts[key] = r
		t.put(spec.Field(path, key), here)
		for field, attribute := range map[string]string{"mac": "mac", "duid": "id", "ip": "ip"} {
			t.put(spec.Field(spec.Field(path, key), field), here+"@"+attribute)
		}
	}
}

// key finds a key for a reservation, "" when there is none that it could have.
func (t *translation) key(place, name string, r spec.Reservation, taken map[string]spec.Reservation) string {
	_, twice := taken[name]
	address := r.IP.String()
	switch {
	case claimed(r, taken) != "":
		t.leftOut(place, "a host before it has the "+claimed(r, taken))
	case name != "" && !twice && spec.CheckHostName(name) == nil:
		return name
	case r.ByName():
		t.leftOut(place, "its name cannot be told from others or is no host name")
	default:
		if name != "" {
			t.say(place+"@name", "", "the guest keeps a name of its own, because %q is no host name, or another host has it", name)
		}
		return address
	}
	return ""
}

// claimed names what of a reservation another one has already, "" for nothing.
func claimed(r spec.Reservation, taken map[string]spec.Reservation) string {
	for _, other := range taken {
		switch {
		case other.IP == r.IP:
			return "address"
		case !r.MAC.IsZero() && other.MAC == r.MAC:
			return "MAC"
		case r.DUID != "" && strings.EqualFold(other.DUID, r.DUID):
			return "id"
		}
	}
	return ""
}
