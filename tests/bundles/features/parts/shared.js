function shared(n) { return 'shared ' + n; }
