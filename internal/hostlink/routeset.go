package hostlink

import "slices"

// routeSet holds routes in their order, and finds one by its content: there may be very
// many.
type routeSet struct {
	list []Route
	at   map[string]Route
}

func routeSetOf(list []Route) routeSet {
	s := routeSet{at: make(map[string]Route, len(list))}
	for _, r := range list {
		s.add(r)
	}
	return s
}

func (s *routeSet) add(r Route) {
	key := r.content()
	if _, there := s.at[key]; there {
		return
	}
	if s.at == nil {
		s.at = map[string]Route{}
	}
	s.at[key] = r
	s.list = append(s.list, r)
}

func (s *routeSet) remove(r Route) {
	key := r.content()
	if _, there := s.at[key]; there {
		delete(s.at, key)
		s.list = slices.DeleteFunc(s.list, func(o Route) bool { return o.content() == key })
	}
}

// find tells the route of the same content: it may have another rank, or end at
// another time.
func (s routeSet) find(r Route) (Route, bool) {
	found, there := s.at[r.content()]
	return found, there
}

func (s routeSet) contains(r Route) bool {
	_, there := s.find(r)
	return there
}
