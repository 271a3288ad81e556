// Has no handler.
export const helper = () => 1;
