package radv

import (
	"time"

	"kvmnet/internal/spec"
)

// Bounds of unicast answers. A guest solicits three times in eight seconds when
// its link comes up (RFC 4861 section 10); what goes beyond the bounds is answered
// by the next multicast, which serves any number of guests.
const (
	perSource  = 4               // answers to one MAC in a window
	perNetwork = 200             // answers to all of them in a window
	window     = 4 * time.Second // then everybody may ask again
)

// limit counts unicast answers by MAC. Its memory is bounded by perNetwork.
type limit struct {
	began time.Time
	all   int
	of    map[spec.MAC]int
}

// allow reports whether mac may be answered by unicast now, and counts it if so.
func (l *limit) allow(mac spec.MAC, now time.Time) bool {
	if l.of == nil || now.Sub(l.began) >= window {
		*l = limit{began: now, of: map[spec.MAC]int{}}
	}
	if l.all >= perNetwork || l.of[mac] >= perSource {
		return false
	}
	l.all++
	l.of[mac]++
	return true
}
