SELECT counter.acquire('hot-1', 1000000000, '1 min');
