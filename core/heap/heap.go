// Package heap is a binary heap whose elements know where they are, so that any of them can be
// removed without a search.
package heap

// Heap keeps its least element on top. Make one with New.
type Heap[T any] struct {
	items []T
	less  func(a, b T) bool
	index func(T) *int
}

// New makes an empty heap. index returns where an element keeps its place; the place of an element
// that is in no heap is -1 by convention of the callers.
func New[T any](less func(a, b T) bool, index func(T) *int) Heap[T] {
	return Heap[T]{less: less, index: index}
}

// Items are the elements, the least one first, the others in an order that depends only on the
// calls made before; not to be modified.
func (h *Heap[T]) Items() []T { return h.items }

// Push adds an element.
func (h *Heap[T]) Push(item T) {
	h.items = append(h.items, item)
	*h.index(item) = len(h.items) - 1
	h.up(len(h.items) - 1)
}

// Remove takes out the element at a place and marks it as being in no heap.
func (h *Heap[T]) Remove(place int) T {
	last := len(h.items) - 1
	h.swap(place, last)
	item := h.items[last]
	clear(h.items[last:])
	h.items = h.items[:last]
	if place < last {
		h.down(place)
		h.up(place)
	}
	*h.index(item) = -1
	return item
}

// Fix restores the order after the element at a place has changed.
func (h *Heap[T]) Fix(place int) {
	h.down(place)
	h.up(place)
}

func (h *Heap[T]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.index(h.items[i]), *h.index(h.items[j]) = i, j
}

func (h *Heap[T]) up(i int) {
	for i > 0 && h.less(h.items[i], h.items[(i-1)/2]) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h *Heap[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.items); child++ {
			if h.less(h.items[child], h.items[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}
