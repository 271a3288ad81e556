// Imported once by warmup.js, so that the loader of ES modules is warm in every template.
export default { fetch() {} };
