// Package hostname makes host labels of what guests call themselves, the same for
// DHCPv4 and DHCPv6, so that a guest with both has one name.
//
// What enters: names as guests sent them, in text or in DNS wire form. What leaves:
// clean labels, and names in wire form.
//
// hostname is pure: it imports the standard library only.
package hostname
