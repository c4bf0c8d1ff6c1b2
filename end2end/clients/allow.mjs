// Allows what an address asks for, and prints where the person would be sent.
import { allow } from './browser.mjs';

console.log(await allow(process.argv[2], { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD }));
