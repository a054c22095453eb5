package spec

// Hollow reports whether the network is a definition of libvirt's whose guests would
// reach the LAN in a way that there is not here, such as a NIC of their own. It is
// kept for libvirt's own tools, and cannot run.
func (n *Network) Hollow() bool {
	return n.Mode == Bridge && n.Bridge.Name == "" && n.Direct == nil && n.Libvirt != nil && n.Libvirt.Kept != ""
}
