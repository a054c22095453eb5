// Package libvirthost reads what an installed libvirt has of networks: definitions,
// autostart marks, whether they run, and the leases of their guests.
//
// What enters: libvirt's files, or those of a copy or of a mounted disk; or what
// virsh prints, also of another host. What leaves: the XML of each network as it
// is, with its marks, and leases as the daemon knows them. Nothing is ever changed.
//
// The XML is not read here: what a network is called and which bridge it has is for
// the daemon to find.
//
// libvirthost imports spec and api.
package libvirthost
