SELECT * FROM idemstore.cache_get_many(:keys);
