/* The parts of Bootstrap whose data-bs-toggle our templates use; update.sh bundles them to tabler/tabler.min.js. */
import 'bootstrap/js/src/collapse.js';
import 'bootstrap/js/src/dropdown.js';
import 'bootstrap/js/src/offcanvas.js';
